'use strict';

// A cloud that the framework does not know: what its configuration may say, `sls invoke local`, and `sls package`. Clouds
// that are built so install Python's packages on their side, so that a package is our files and nothing else.

const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { invokeArguments, localSettings } = require('./invoke-local');

/** The framework's commands about a deployment, each with a lifecycle event: without a hook on it, the command is unknown. */
const ABOUT_DEPLOYMENTS = {
  deploy: 'deploy:deploy',
  'deploy function': 'deploy:function:deploy',
  'deploy list': 'deploy:list:log',
  'deploy list functions': 'deploy:list:functions:log',
  info: 'info:info',
  invoke: 'invoke:invoke',
  logs: 'logs:logs',
  metrics: 'metrics:metrics',
  remove: 'remove:remove',
  rollback: 'rollback:rollback',
  'rollback function': 'rollback:function:rollback',
};

/**
 * Make the class of a provider plugin.
 * @param {object} cloud
 * @param {string} cloud.name  `provider.name` in its serverless.yml.
 * @param {string} cloud.title  How people call it.
 * @param {object} cloud.schema  Of `provider`, `functions.*` and `functions.*.events`.
 * @param {(service: object) => object} cloud.packageSettings  What the package's own files depend on, for Python.
 */
function makeProviderPlugin({ name, title, schema, packageSettings }) {
  return class ProviderPlugin {
    static getProviderName() {
      return name;
    }

    /**
     * @param {object} serverless
     * @param {Record<string, any>} options  Filled by the framework after the constructor.
     */
    constructor(serverless, options, { log }) {
      this.serverless = serverless;
      this.options = options;
      this.log = log;
      this.provider = this;
      serverless.setProvider(name, this);
      serverless.configSchemaHandler.defineProvider(name, schema);
      this.hooks = {
        initialize: () => this.refuseDeployments(),
        ...Object.fromEntries(Object.values(ABOUT_DEPLOYMENTS).map((event) => [event, () => this.refuseDeployments()])),
        'before:package:createDeploymentArtifacts': () => this.package(),
        'invoke:local:invoke': () => this.invokeLocal(),
      };
    }

    /** Before anything is done: `sls deploy` would package first. */
    refuseDeployments() {
      const command = this.serverless.processedInput.commands.join(' ');
      if (!(command in ABOUT_DEPLOYMENTS)) return;
      const message = `"sls ${command}" is not built yet for ${title}: only package and local commands.`;
      throw new this.serverless.classes.Error(message, 'SLUICE_NOT_BUILT_YET');
    }

    /** Call a function here. Python prints what the cloud would answer; we pass on its exit status. */
    invokeLocal() {
      const { service } = this.serverless;
      const declared = service.getFunction(this.options.function);
      const env = localSettings(service.provider.environment, declared.environment, process.env, this.options.env);
      process.exitCode = this.runPython(invokeArguments(declared, this.options, this.refuse), { stdio: 'inherit', env });
    }

    /** Write the zip where the framework would put its own, which it then leaves out. */
    async package() {
      const { service, serviceDir, pluginManager } = this.serverless;
      const framework = pluginManager.plugins.find((plugin) => plugin.constructor.name === 'Package');
      const files = await framework.resolveFilePathsAll();
      const output = path.resolve(serviceDir, this.options.package ?? '.serverless', `${service.service}.zip`);
      const input = JSON.stringify({ files, settings: packageSettings(service) });
      const argv = ['-m', 'handlers.package', `--cloud=${service.custom.cloud}`, `--output=${output}`];
      const status = this.runPython(argv, { input, stdio: ['pipe', 'inherit', 'inherit'] });
      if (status !== 0) throw new this.serverless.classes.Error('The package could not be written.', 'SLUICE_NO_PACKAGE');
      service.package.artifact = output;
      this.log.success(`${path.relative(serviceDir, output)} for ${title}: ${files.length} files of the project`);
    }

    runPython(argv, options) {
      const { serviceDir } = this.serverless;
      const { status, error } = spawnSync(path.join(serviceDir, '.venv/bin/python'), argv, { cwd: serviceDir, ...options });
      if (error) throw error;
      return status ?? 1;
    }

    refuse = (message) => {
      throw new this.serverless.classes.Error(message, 'SLUICE_INVALID_OPTION');
    };
  };
}

module.exports = { makeProviderPlugin };
