'use strict';

// `sls address`, `sls peer-keys`, and `sls clouds deploy|info|remove`, which run `sls` for one cloud after the other.

const { readFileSync, rmSync, writeFileSync } = require('node:fs');
const { createInterface } = require('node:readline/promises');
const { AwsDeployment } = require('../aws/deployment');
const { makeCall } = require('../lib/child-sls');
const { listClouds } = require('../lib/cloud');
const { CloudsDeployment, checkParams, chooseClouds, gatherPeers, runForEach, tableOf } = require('../lib/clouds');
const { ControlPlaneError } = require('../lib/control-plane');
const { PEER_KEYS_FORM, normalizePeerKeys } = require('../lib/peer-keys');

const CLOUD = { cloud: { usage: 'Cloud to work on: a folder of providers/ (default: aws)', type: 'string' } };
const ONLY = { only: { usage: 'Clouds, the preferred one first: aws,gcp (default: all)', type: 'string' } };

const COMMANDS = {
  address: {
    usage: 'Show where the deployed API and its storage are, as SLUICE_PEERS wants it',
    lifecycleEvents: ['run'],
    options: { json: { usage: 'Print JSON; null where nothing is deployed', type: 'boolean' }, ...CLOUD },
  },
  'peer-keys': {
    usage: 'Print the keys that clouds share, from the secret store of one; {} if there are none',
    lifecycleEvents: ['run'],
    options: {
      set: { usage: 'Store the keys that standard input gives', type: 'boolean' },
      reference: { usage: 'Print the parameter of "sls deploy" that refers to them', type: 'boolean' },
      remove: { usage: 'Remove them', type: 'boolean' },
      ...CLOUD,
    },
  },
  clouds: {
    usage: 'Several clouds, one after the other',
    type: 'container',
    commands: {
      deploy: {
        usage: 'Deploy clouds that know each other',
        lifecycleEvents: ['run'],
        options: { ...ONLY, plan: { usage: 'Print what would change, and change nothing', type: 'boolean' } },
      },
      peers: {
        usage: "Write the file that operators' commands take with --peers; it holds the keys",
        lifecycleEvents: ['run'],
        options: { ...ONLY, to: { usage: 'Name of the file', type: 'string', required: true } },
      },
      info: { usage: 'Show what is deployed', lifecycleEvents: ['run'], options: ONLY },
      remove: {
        usage: 'Remove the deployments',
        lifecycleEvents: ['run'],
        options: {
          ...ONLY,
          force: { usage: 'Remove the files and records, too', type: 'boolean' },
          yes: { usage: 'Do not ask', type: 'boolean' },
        },
      },
    },
  },
};

module.exports = class Clouds {
  /**
   * @param {object} serverless
   * @param {Record<string, any>} options  Filled by the framework after the constructor.
   */
  constructor(serverless, options, { writeText }) {
    Object.assign(this, { serverless, options, writeText, commands: COMMANDS });
    this.hooks = {
      'address:run': () => this.address(),
      'peer-keys:run': () => this.peerKeys(),
      'clouds:deploy:run': () => this.deploy(),
      'clouds:info:run': async () => this.report(await this.forEach(['info'], 'told')),
      'clouds:peers:run': () => this.writePeers(),
      'clouds:remove:run': () => this.remove(),
    };
  }

  async address() {
    const address = await this.#ofDeployment((deployment) => deployment.address());
    if (this.options.json) return this.writeText(JSON.stringify(address));
    if (!address) this.refuse(`Nothing is deployed on ${this.cloud}, stage ${this.stage}.`);
    return this.writeText(`url: ${address.url}\norigins: ${address.origins.join(', ')}`);
  }

  /** Keys go through standard input and output alone. */
  async peerKeys() {
    const { set, reference, remove } = this.options;
    if ([set, reference, remove].filter(Boolean).length > 1) this.refuse('Only one of --set, --reference and --remove.');
    if (set) return this.#storeKeys();
    if (remove) return this.#ofDeployment((deployment) => this.#removable(deployment).removeSecret(this.secretName));
    if (reference) return this.writeText(await this.#reference());
    return this.writeText((await this.#ofDeployment((deployment) => deployment.readSecret(this.secretName))) || '{}');
  }

  async #storeKeys() {
    if (process.stdin.isTTY) this.refuse('Pipe the keys in, so that they stand in no history: … | npx sls peer-keys --set');
    const keys = normalizePeerKeys(readFileSync(0, 'utf8')) || this.refuse(PEER_KEYS_FORM);
    await this.#ofDeployment((deployment) => deployment.writeSecret(this.secretName, keys));
  }

  #removable(deployment) {
    return deployment.removeSecret ? deployment : this.refuse(`On ${this.cloud} "sls remove" removes them.`);
  }

  async #reference() {
    const refer = (deployment) => deployment.referTo?.(this.secretName) ?? this.#nameIfHeld(deployment);
    return (await this.#ofDeployment(refer)) || this.refuse(`There are no peer keys on ${this.cloud}: "sls peer-keys --set" stores some.`);
  }

  async #nameIfHeld(deployment) {
    return (await deployment.readSecret(this.secretName)) ? `peer_keys_secret=${this.secretName}` : '';
  }

  async deploy() {
    checkParams(this.options, (message) => this.refuse(message));
    const { call, clouds, tell } = this;
    this.report(await new CloudsDeployment({ clouds, call, tell, isPlan: this.options.plan }).run());
  }

  /** For nobody else's eyes, from the first byte on. */
  async writePeers() {
    const gathered = await gatherPeers({ clouds: this.clouds, call: this.call, refuse: (message) => this.refuse(message) });
    rmSync(this.options.to, { force: true });
    writeFileSync(this.options.to, `${JSON.stringify(gathered, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    this.tell(`${this.options.to}: ${Object.keys(gathered.peers).join(', ')}`);
  }

  async remove() {
    const question = `Remove ${this.clouds.join(', ')}, stage ${this.stage}${this.options.force ? ', with files and records' : ''}? [y/N] `;
    if (!this.options.yes && !(await this.ask(question))) this.refuse('Nothing was removed.');
    const outcomes = await this.forEach(this.options.force ? ['remove', '--force'] : ['remove'], 'removed');
    await this.#removeKeys(outcomes.find(({ cloud, result }) => cloud === 'aws' && result === 'removed'));
    this.report(outcomes);
  }

  /** On AWS the peer keys are no part of the stack. */
  async #removeKeys(outcome) {
    if (!outcome) return;
    const { isDone, reason } = await this.call('aws', ['peer-keys', '--remove'], { isQuiet: true });
    if (!isDone) Object.assign(outcome, { result: 'failed', reason: `the peer keys are left: ${reason}` });
  }

  forEach(argv, result) {
    const { call, clouds, tell } = this;
    return runForEach({ clouds, argv, call, tell, result });
  }

  async ask(question) {
    if (!process.stdin.isTTY) this.refuse('There is no terminal to ask at: --yes goes ahead.');
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question(question);
    terminal.close();
    return /^y(es)?$/i.test(answer.trim());
  }

  report(outcomes) {
    this.writeText(`\n${tableOf(outcomes)}`);
    if (outcomes.some(({ result }) => ['failed', 'skipped'].includes(result))) process.exitCode = 1;
  }

  tell = (line) => process.stderr.write(`${line}\n`);

  get call() {
    return makeCall({ serviceDir: this.serverless.serviceDir, options: this.options });
  }

  /** Ask the deployment; what a cloud refuses is told in its one line. */
  async #ofDeployment(question) {
    const { name } = this.serverless.service.provider;
    try {
      const isAws = name === 'aws';
      return await question(isAws ? new AwsDeployment(this.serverless, this.options) : this.serverless.getProvider(name).deployment);
    } catch (error) {
      if (error instanceof ControlPlaneError) this.refuse(error.message);
      throw error;
    }
  }

  refuse(message) {
    throw new this.serverless.classes.Error(message, 'SLUICE_REFUSED');
  }

  get clouds() {
    return chooseClouds(this.options.only, listClouds(), (message) => this.refuse(message));
  }

  get secretName() {
    return `${this.serverless.service.service}-${this.stage}-peer-keys`;
  }

  get stage() {
    return this.serverless.service.provider.stage;
  }

  get cloud() {
    return this.serverless.service.custom.cloud;
  }
};
