'use strict';

// Everything of a deployment, in the order in which it is made: what is told of comes before what tells of it, so that an
// upload finds everybody at their place. It is removed the other way round.

const { NEEDS, grantsTo, onBucket, onItself, onProject } = require('./access');
const { functionBody, placesOf } = require('./function-body');
const { HANDLERS, functionOf } = require('./functions');
const { notificationOf } = require('./notification');
const { accountOf, apisOf } = require('./project');
const { INVOKER, PARKED, pushesOf, queuesOf } = require('./queues');
const { rightsOn } = require('./rights');
const { jobOf } = require('./schedule');
const { bucketOf, databaseOf } = require('./storage');

const EVERYBODY = ['allUsers', 'allAuthenticatedUsers'];
const BUILDER = 'build';

/**
 * A function of serverless.yml, with what follows from it.
 * @typedef {object} Declared
 * @property {string} name  In serverless.yml.
 * @property {object} config  What stands there.
 * @property {'pubsub' | 'http' | 'schedule'} trigger
 * @property {object} event
 * @property {string} target  In main.py.
 * @property {string} member  Its account, as policies call it.
 * @property {object} needs  See NEEDS.
 */

class Declaration {
  /**
   * @param {object} of
   * @param {import('./google-api').GoogleApi} of.api
   * @param {import('./names').Names} of.names
   * @param {object} of.service  The framework's.
   * @param {import('./functions').Package} of.code
   * @param {import('./secrets').Secrets} of.secrets
   */
  constructor({ api, names, service, code, secrets }) {
    Object.assign(this, { api, names, service, code, secrets });
    /** What earlier resources found out: the project's number. */
    this.project = {};
    /** The functions that stand, by their name in serverless.yml. */
    this.found = new Map();
    /** @type {Declared[]} */
    this.functions = Object.entries(service.functions).map(([name, config]) => {
      const [[trigger, event]] = Object.entries(config.events[0]);
      const { target } = HANDLERS[config.handler];
      return { name, config, trigger, event, target, member: names.member(name), needs: NEEDS[target] };
    });
    this.accounts = [BUILDER, INVOKER, ...this.functions.map(({ name }) => name)];
    this.members = [...this.accounts.map((name) => names.member(name)), ...EVERYBODY];
  }

  /** @returns {import('../lib/converge').Resource[]} */
  resources() {
    const { functions } = this;
    return [
      ...this.#projects(),
      ...this.#stores(),
      ...queuesOf(this),
      ...functions.flatMap((one) => this.ofFunction(one.name)),
      ...functions.filter(({ trigger }) => trigger === 'pubsub').flatMap((one) => pushesOf(this, one)),
      ...functions.filter(({ trigger }) => trigger === 'schedule').map((one) => this.#job(one)),
      notificationOf(this.api, this.names, this.names.queue(this.work)),
    ];
  }

  /** A function, its secrets, and who may call it. */
  ofFunction(name) {
    const { api, names, found } = this;
    const one = this.functions.find((declared) => declared.name === name);
    const service = () => found.get(name)?.serviceConfig?.service;
    return [
      functionOf(api, names, { name, declare: () => this.#declare(one), code: this.code, found }),
      rightsOn(api, {
        what: `function ${names.function(name)}`,
        kind: 'ordinary',
        url: () => service() && `https://run.googleapis.com/v2/${service()}`,
        grants: () => grantsTo(one.event.access === 'public' ? EVERYBODY[0] : names.member(INVOKER), ['roles/run.invoker']),
        ours: this.members,
      }),
    ];
  }

  uriOf(name) {
    return this.found.get(name)?.serviceConfig?.uri;
  }

  #projects() {
    const { api, names, functions } = this;
    const purposeOf = { [BUILDER]: 'Builds functions', [INVOKER]: 'Calls functions' };
    return [
      apisOf(api, names, this.project),
      ...this.accounts.map((name) => accountOf(api, names, { name, purpose: purposeOf[name] ?? `Runs function ${name}` })),
      rightsOn(api, {
        what: `project ${names.project}`,
        kind: 'project',
        url: () => `https://cloudresourcemanager.googleapis.com/v3/${names.inProject}`,
        grants: () => onProject(names, functions, names.member(BUILDER)),
        ours: this.accounts.map((name) => names.member(name)),
        isShared: true,
      }),
      ...functions.filter(({ needs }) => needs.signs).map(({ name, member }) =>
        rightsOn(api, {
          what: `service account ${names.accountId(name)}`,
          kind: 'account',
          url: () => `https://iam.googleapis.com/v1/${names.inProject}/serviceAccounts/${names.account(name)}`,
          grants: () => onItself(member),
          ours: this.members,
        }),
      ),
      ...this.secrets.rights(functions, this.members),
    ];
  }

  #stores() {
    const { api, names, functions } = this;
    const { provider } = this.service;
    const mayDeleteData = provider.data_deletion_policy === 'Delete';
    return [
      databaseOf(api, names, { isProtected: provider.ledger_deletion_protection, mayDeleteData }),
      bucketOf(api, names, { partDays: provider.multipart_days, mayDeleteData }),
      rightsOn(api, {
        what: `bucket ${names.bucket}`,
        kind: 'bucket',
        url: () => `https://storage.googleapis.com/storage/v1/b/${names.bucket}`,
        grants: () => onBucket(names, functions),
        ours: this.members,
      }),
    ];
  }

  #job({ name, config, event }) {
    return jobOf(this.api, this.names, {
      name,
      cron: event.cron,
      timeoutS: config.timeout_s,
      invoker: this.names.account(INVOKER),
      uri: () => this.uriOf(name),
    });
  }

  /** The topic of the function that events call, in serverless.yml. */
  get work() {
    return this.functions.find(({ trigger }) => trigger === 'pubsub').event.topic;
  }

  /** Where everything stands, for a function's environment. */
  places() {
    return placesOf(this.names, { work: this.work, parked: PARKED });
  }

  async #declare({ name, config, target }) {
    return functionBody(this.names, {
      name,
      config,
      target,
      provider: this.service.provider,
      builder: this.names.account(BUILDER),
      label: this.code.label,
      places: this.places(),
      secrets: await this.secrets.versions(name),
    });
  }
}

module.exports = { BUILDER, Declaration, INVOKER };
