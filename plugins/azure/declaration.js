'use strict';

// All that belongs to a deployment, made of serverless.yml, in the order in which one thing needs another.

const { armResource } = require('./arm-resource');
const { events } = require('./events');
const { registrations, resourceGroup } = require('./group');
const { monitoring } = require('./monitoring');
const { rolesOfDeployer, rolesOfEvents, rolesOfFunctions } = require('./roles');
const { app } = require('./site');
const { hostStorage, uploadStorage } = require('./storage');
const { vault } = require('./vault');

class Declaration {
  #who = {};

  /**
   * @param {{arm: import('./arm').Arm, names: object, subscriptionId: string, service: object, planes: object,
   *   login: import('./login').Login}} deployment
   */
  constructor({ arm, names, subscriptionId, service, planes, login }) {
    const { provider, functions } = service;
    const subscription = `/subscriptions/${subscriptionId}`;
    const group = `${subscription}/resourceGroups/${names.group}`;
    const tags = { service: service.service, stage: provider.stage };
    this.login = login;
    this.scope = { arm, names, subscription, group, region: provider.region, tags };
    const { scope } = this;
    this.uploads = uploadStorage(scope, { planes, isDataKept: provider.data_deletion_policy !== 'Delete' });
    this.host = hostStorage(scope);
    this.identity = armResource(arm, {
      title: `identity ${names.identity}`,
      id: `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${names.identity}`,
      version: '2023-01-31',
      body: { location: provider.region },
      tags,
    });
    this.monitoring = monitoring(scope, { logDays: provider.log_days });
    this.vault = vault(scope, { tenantOf: () => this.#who.tenantId });
    this.app = app(scope, { identity: this.identity, provider, ...scaleOf(provider, functions) });
    this.events = events(scope, { uploads: this.uploads });
  }

  /** Whose login this is: the vault is of that tenant, and gets that principal as an officer. */
  async learnWho() {
    this.#who = await this.login.whoAmI();
  }

  #idsInGroup() {
    const { uploads, host, identity, vault: keys, monitoring: logs, events: { topic }, app: { plan, site } } = this;
    return [uploads.account, host.account, identity, keys, ...logs.all, topic, plan, site].map(({ id }) => id);
  }

  /** All that the app needs before it can run; roles early, as they take their time to be known. */
  surroundings() {
    const { scope, uploads, host, identity, vault: keys, monitoring: logs } = this;
    const { principalId, principalType } = this.#who;
    const { topic } = this.events;
    return [
      registrations(scope),
      resourceGroup(scope, () => this.#idsInGroup()),
      ...uploads.all,
      keys,
      ...rolesOfDeployer(scope, { uploads, vault: keys, principal: () => ({ principalId, ...(principalType ? { principalType } : {}) }) }),
      ...host.all,
      identity,
      topic,
      ...logs.all,
      ...rolesOfFunctions(scope, { uploads, host, vault: keys, insights: logs.insights, principal: principalOf(() => identity.live?.properties) }),
      ...rolesOfEvents(scope, { uploads, principal: principalOf(() => topic.live?.identity) }),
    ];
  }
}

/** An identity that Azure made; it has no id before. Its kind is told, or Azure would not find one that is new. */
const principalOf = (find) => () => ({ principalId: find()?.principalId, principalType: 'ServicePrincipal' });

/** How far the app scales: so many machines that all of them together work on `max_concurrency` messages. */
function scaleOf({ environment }, functions) {
  const worker = Object.values(functions).find(({ events: [{ queue }] }) => queue);
  return {
    instanceCount: Math.max(1, Math.floor(worker.max_concurrency / worker.events[0].queue.batch_count)),
    threadCount: Number(environment.PYTHON_THREADPOOL_THREAD_COUNT),
  };
}

module.exports = { Declaration };
