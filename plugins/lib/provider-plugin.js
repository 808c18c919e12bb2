'use strict';

// A cloud that the framework does not know: what its configuration may say, `sls invoke local`, `sls package`, and the commands
// about its deployments. Such clouds install Python's packages on their side, so that a package is our files and nothing else.

const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { ControlPlaneError } = require('./control-plane');
const { DeploymentCommands, EVENTS } = require('./deployment-commands');
const { invokeArguments, localSettings } = require('./invoke-local');

/**
 * Make the class of a provider plugin.
 * @param {object} cloud
 * @param {string} cloud.name  `provider.name` in its serverless.yml.
 * @param {string} cloud.title  How people call it.
 * @param {object} cloud.schema  Of `provider`, `functions.*` and `functions.*.events`.
 * @param {(service: object) => object} cloud.packageSettings  What the package's own files depend on, for Python.
 * @param {(serverless: object) => import('./deployment-commands').Deployment} cloud.makeDeployment
 */
function makeProviderPlugin({ name, title, schema, packageSettings, makeDeployment }) {
  return class ProviderPlugin {
    static getProviderName() {
      return name;
    }

    /**
     * @param {object} serverless
     * @param {Record<string, any>} options  Filled by the framework after the constructor.
     */
    constructor(serverless, options, { log, writeText }) {
      this.serverless = serverless;
      this.options = options;
      this.log = log;
      this.provider = this;
      serverless.setProvider(name, this);
      serverless.configSchemaHandler.defineProvider(name, schema);
      const commands = new DeploymentCommands({
        service: serverless.service,
        deployment: () => this.deployment,
        options,
        log,
        write: writeText,
        refuse: this.refuse,
      });
      this.handlers = commands.handlers;
      this.hooks = {
        initialize: () => this.refuseUnknown(),
        ...Object.fromEntries(Object.entries(EVENTS).map(([typed, event]) => [event, () => this.inOneLine(() => this.handlers[typed]())])),
        'deploy:function:packageFunction': () => this.package(),
        'before:package:createDeploymentArtifacts': () => this.package(),
        'invoke:local:invoke': () => this.invokeLocal(),
      };
    }

    /** The deployment that commands are about, and that other plugins ask for its address. */
    get deployment() {
      return (this.made ??= makeDeployment(this.serverless));
    }

    /** Before anything is done: `sls deploy` would package first. */
    refuseUnknown() {
      const command = this.serverless.processedInput.commands.join(' ');
      if (!(command in EVENTS) || command in this.handlers) return;
      const possible = Object.keys(this.handlers).join(', ');
      throw new this.serverless.classes.Error(`"sls ${command}" does not exist for ${title}: ${possible}.`, 'SLUICE_UNKNOWN_HERE');
    }

    /** What a cloud refused is no bug of ours: told without a stack. */
    async inOneLine(act) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof ControlPlaneError)) throw error;
        throw new this.serverless.classes.Error(error.message, 'SLUICE_CONTROL_PLANE');
      }
    }

    /** For `--deployed`: the settings by which the operator's commands reach what is deployed. */
    async deployedSettings() {
      return this.inOneLine(() => this.deployment.settings());
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
