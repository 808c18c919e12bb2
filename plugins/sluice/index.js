'use strict';

// `sls put|ledger|parked|redrive|sweep`, `sls upload`, `sls failover …`, `sls api up`, `sls local up`, `--cloud` for the framework's
// own commands, `sls invoke local` without a cloud, and packages that are the same bytes on every machine.

const { spawnSync } = require('node:child_process');
const { existsSync, statSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { adoptWhatStands } = require('../aws/adopt');
const { AwsDeployment } = require('../aws/deployment');
const { explainFailure } = require('../aws/failure');
const { planService } = require('../aws/plan');
const { chooseCloud, listClouds } = require('../lib/cloud');
const { declareOptions, pythonArguments, renamePlan, takePositionals } = require('../lib/command-line');
const { describe } = require('../lib/converge');
const { whyCutOff } = require('../lib/cut-off');
const { localCloudsArguments, runUntilStopped } = require('../lib/local-clouds');
const { CREDENTIALS, NO_ACCOUNT, localEnvironment, withoutReferences } = require('../lib/local-run');
const { ASKING, OPERATOR_COMMANDS, declareCommands, operatorArguments, takeHandedOn } = require('../lib/operator-commands');

const CLOUD = { cloud: { usage: 'Cloud to work on: a folder of providers/ (default: aws)', type: 'string' } };
const DEPLOYED = { deployed: { usage: 'Work on the deployed stack instead of the embedded store', type: 'boolean' } };
const PLAN = { plan: { usage: 'Print what would change, and change nothing', type: 'boolean' } };
const FORCE = { force: { usage: 'Remove the files and records, too', type: 'boolean' } };
const JSON_OUTPUT = { json: { usage: 'Print JSON, with every field', type: 'boolean' } };

const COMMANDS = {
  put: {
    usage: 'Upload a file, and print the event that the cloud sends: sls put FILE [--key KEY]',
    lifecycleEvents: ['run'],
    options: { key: { usage: "Key of the upload (default: the file's name)", type: 'string' }, ...DEPLOYED, ...CLOUD },
  },
  ledger: {
    usage: 'Show what is recorded',
    lifecycleEvents: ['run'],
    options: {
      ...JSON_OUTPUT,
      current: { usage: 'Only the newest version of each key that is not deleted', type: 'boolean' },
      ...DEPLOYED,
      ...CLOUD,
    },
  },
  parked: {
    usage: 'Show the messages that were given up, and why',
    lifecycleEvents: ['run'],
    options: { ...JSON_OUTPUT, ...DEPLOYED, ...CLOUD },
  },
  redrive: {
    usage: 'Return parked messages to the work queue: sls redrive ID..., or sls redrive --all',
    lifecycleEvents: ['run'],
    options: { all: { usage: 'All parked messages', type: 'boolean' }, ...DEPLOYED, ...CLOUD },
  },
  sweep: {
    usage: 'Find uploads whose event never came, and send them to the work queue',
    lifecycleEvents: ['run'],
    options: {
      'min-age-s': { usage: 'Leave younger ones to their event (default: 300)', type: 'string' },
      ...JSON_OUTPUT,
      ...DEPLOYED,
      ...CLOUD,
    },
  },
};

const LOCAL_UP = {
  usage: 'Start local clouds, and keep them until Ctrl-C',
  lifecycleEvents: ['run'],
  options: {
    cloud: { usage: 'Clouds to start, separated by commas (default: all)', type: 'string' },
    json: { usage: 'Print one line of JSON for each cloud that is ready', type: 'boolean' },
    'dns-interval-s': { usage: 'The name that leads to the active cloud: between two health checks (default: 1)', type: 'string' },
    'dns-threshold': { usage: '… bad ones in a row that take a cloud away (default: 3)', type: 'string' },
    'dns-ttl-s': { usage: '… how long resolvers keep an answer (default: 2)', type: 'string' },
  },
};

/** The framework's commands that get --cloud. (--param cloud=X works with every command.) */
const WITH_CLOUD = [
  'deploy',
  'deploy function',
  'deploy list',
  'deploy list functions',
  'info',
  'invoke',
  'invoke local',
  'logs',
  'metrics',
  'package',
  'print',
  'remove',
  'rollback',
  'rollback function',
];

/** The framework's commands that run a function on this machine. */
const RUN_LOCALLY = ['invoke local', 'wsgi serve'];

module.exports = class Sluice {
  /**
   * @param {object} serverless
   * @param {Record<string, any>} options  Filled by the framework after the constructor.
   */
  constructor(serverless, options, { log, writeText }) {
    this.serverless = serverless;
    this.options = options;
    this.log = log;
    this.writeText = writeText;
    const local = { usage: 'Clouds on this machine', type: 'container', commands: { up: LOCAL_UP } };
    const ofFramework = declareOptions(WITH_CLOUD, CLOUD);
    ofFramework.deploy.options = { ...CLOUD, ...PLAN };
    ofFramework.deploy.commands.plan = { usage: 'The same as deploy --plan, on AWS', lifecycleEvents: ['run'], options: CLOUD };
    ofFramework.remove.options = { ...CLOUD, ...FORCE };
    this.commands = { ...ofFramework, ...COMMANDS, ...declareCommands(), local };
    this.hooks = {
      initialize: () => {
        this.refuseToDeployForPlan();
        this.refuseToForceAws();
        this.prepareLocalRun();
      },
      'deploy:plan:run': () => this.planAws(),
      error: (error) => this.explain(error),
      'before:deploy:deploy': () => this.cloud === 'aws' && this.prepareAws(),
      'before:package:createDeploymentArtifacts': () => this.preparePackaging(),
      'after:package:finalize': () => this.tellSize(),
      'before:deploy:function:packageFunction': () => this.preparePackaging(),
      'local:up:run': () => this.startLocalClouds(),
      ...Object.fromEntries(Object.keys(COMMANDS).map((name) => [`${name}:run`, () => this.runPython(name)])),
      ...Object.fromEntries(
        Object.keys(OPERATOR_COMMANDS).map((typed) => [`${typed.replaceAll(' ', ':')}:run`, () => this.runOperator(typed)]),
      ),
    };

    const typed = process.argv.slice(2);
    const handedOn = takeHandedOn(chooseCloud(typed, process.env) === 'aws' ? renamePlan(typed) : typed);
    const { argv, positionals } = takePositionals(handedOn.argv, ['put', 'redrive', 'upload']);
    process.argv.splice(2, Infinity, ...argv);
    this.positionals = [...positionals, ...handedOn.rest];

    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'; // package.json states which Node we need
  }

  /**
   * The framework's deployment to AWS knows no plan: it must not run. `renamePlan` has made another command of it, unless an
   * option stands before the command.
   */
  refuseToDeployForPlan() {
    const isDeploy = this.serverless.processedInput.commands.join(' ') === 'deploy';
    if (!isDeploy || !this.options.plan || this.cloud !== 'aws') return;
    this.refuse('The plan did not take the place of the deployment: write "sls deploy --plan", and other options after it.');
  }

  /** The stack itself says what becomes of its data: it was deployed with that. */
  refuseToForceAws() {
    const isRemove = this.serverless.processedInput.commands.join(' ') === 'remove';
    if (!isRemove || !this.options.force || this.cloud !== 'aws') return;
    const params = '--param data_deletion_policy=Delete --param ledger_deletion_protection=false';
    this.refuse(`AWS knows no --force: deploy with "${params}", empty the bucket, and remove without it (docs/deploy/aws.md).`);
  }

  async explain(error) {
    const isDeploy = this.serverless.processedInput.commands.join(' ') === 'deploy';
    if (isDeploy && this.cloud === 'aws') await explainFailure(this.serverless, error);
  }

  /**
   * Before the framework's own deployment to AWS. Its `deploy function` needs no such care: it sends no environment that refers to
   * other resources (osls 4.3, lib/plugins/aws/deploy-function.js).
   */
  async prepareAws() {
    const reason = await this.whyCutOffOnAws();
    if (reason) this.refuse(reason);
    await adoptWhatStands(this.serverless);
  }

  whyCutOffOnAws() {
    return whyCutOff(this.serverless.service, () => new AwsDeployment(this.serverless, this.options).order());
  }

  /** Package, and let CloudFormation say what it would change. */
  async planAws() {
    if (this.cloud !== 'aws') this.refuse('Write: sls deploy --plan');
    await this.serverless.pluginManager.spawn('package');
    const name = this.serverless.getProvider('aws').naming.getStackName();
    try {
      await adoptWhatStands(this.serverless);
      const lines = (await planService(this.serverless)).map(describe);
      const reason = await this.whyCutOffOnAws();
      this.writeText([...lines, ...(reason ? [`warning: ${reason}`] : [])].join('\n'));
    } catch (error) {
      throw new this.serverless.classes.Error(`Cannot plan stack "${name}": ${error.message}`, 'SLUICE_NO_PLAN');
    }
  }

  /** Run one of our commands. Python prints results and errors; we pass on its exit status. */
  async runPython(command) {
    const { deployed, ...declared } = COMMANDS[command].options;
    const options = Object.fromEntries(Object.keys(declared).map((name) => [name, this.options[name]]));
    const env = this.options.deployed
      ? await this.deployedEnvironment()
      : localEnvironment(this.serverless.serviceDir, this.cloud, process.env);
    this.spawnPython(pythonArguments(command, { ...options, cloud: this.cloud }, this.positionals), env);
  }

  /**
   * Run a command about all clouds, or one that needs none. The embedded store is for `sls api up` only: the others would
   * take it for a cloud's own services.
   */
  async runOperator(typed) {
    const isApi = typed === 'api up';
    const env = isApi ? localEnvironment(this.serverless.serviceDir, this.cloud, process.env) : {};
    const options = isApi ? { ...this.options, cloud: this.cloud } : this.options;
    const argv = operatorArguments(typed, options, this.positionals);
    if (ASKING.includes(typed)) return this.spawnPython(argv, env);
    const { serviceDir } = this.serverless;
    const python = this.inProject(OPERATOR_COMMANDS[typed].python ?? '.venv/bin/python');
    process.exitCode = await runUntilStopped(python, argv, serviceDir, env);
  }

  spawnPython(argv, env) {
    const python = this.inProject('.venv/bin/python');
    const { status, signal, error } = spawnSync(python, argv, { stdio: 'inherit', env: { ...process.env, ...env } });
    if (error) throw error;
    process.exitCode = status ?? 128 + os.constants.signals[signal];
  }

  /** Python prints where they are, and ends when we are asked to end. */
  async startLocalClouds() {
    const python = this.inProject('.venv/bin/python');
    const argv = localCloudsArguments(this.options, listClouds(), (message) => this.refuse(message));
    process.exitCode = await runUntilStopped(python, argv, this.serverless.serviceDir);
  }

  /** Where the deployed stack's bucket, table and queues are, and who asks. */
  async deployedEnvironment() {
    const { name: ofCloud } = this.serverless.service.provider;
    if (ofCloud !== 'aws') return this.serverless.getProvider(ofCloud).deployedSettings();
    return new AwsDeployment(this.serverless, this.options).settings();
  }

  /**
   * Functions that run here get no reference to a deployed stack, and credentials that no cloud accepts, so that a local run
   * cannot reach a real account.
   */
  prepareLocalRun() {
    const { processedInput, service, serviceDir } = this.serverless;
    if (!RUN_LOCALLY.includes(processedInput.commands.join(' '))) return;

    this.inProject('.venv/bin/python');
    for (const owner of [service.provider, ...Object.values(service.functions)]) {
      owner.environment = withoutReferences(owner.environment);
    }
    Object.assign(process.env, localEnvironment(serviceDir, this.cloud, process.env));
    for (const name of CREDENTIALS) delete process.env[name];
    Object.assign(process.env, NO_ACCOUNT);
  }

  /** The zip keeps file modes, so they must not depend on who packages. */
  preparePackaging() {
    this.inProject('.venv/bin/python');
    if (this.cloud === 'aws') this.inProject('build/wheels/aws'); // the others install on their side
    process.umask(0o022);
  }

  /** Size costs time at each cold start, so that it should grow knowingly. */
  tellSize() {
    const { service, serviceDir } = this.serverless;
    const zip = path.resolve(serviceDir, this.options.package ?? '.serverless', `${service.service}.zip`);
    this.log.success(`${path.relative(serviceDir, zip)}: ${statSync(zip).size.toLocaleString('en')} bytes`);
  }

  refuse(message) {
    throw new this.serverless.classes.Error(message, 'SLUICE_INVALID_OPTION');
  }

  get cloud() {
    return this.serverless.service.custom.cloud;
  }

  /** The absolute path of something that make makes. */
  inProject(relativePath) {
    const found = path.join(this.serverless.serviceDir, relativePath);
    if (existsSync(found)) return found;
    const target = relativePath.startsWith('.venv-dns') ? 'dns' : 'setup';
    throw new this.serverless.classes.Error(`${relativePath} is missing: run "make ${target}".`, 'SLUICE_NOT_SET_UP');
  }
};
