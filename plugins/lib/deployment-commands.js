'use strict';

// `sls deploy|info|invoke|logs|remove|rollback …` of a cloud that the framework does not know, over what its plugin declares.

const { readFileSync } = require('node:fs');
const { converge, describe, plan, removeAll } = require('./converge');
const { whyCutOff } = require('./cut-off');

/**
 * What a provider plugin says of its deployments.
 * @typedef {object} Deployment
 * @property {() => Promise<import('./converge').Resource[]>} resources  All, in the order in which they are made.
 * @property {(name: string) => Promise<import('./converge').Resource[]>} resourcesOfFunction  What `deploy function` renews.
 * @property {() => Promise<import('./converge').Resource[]>} [leftovers]  What other commands made, and goes with the deployment.
 * @property {() => Promise<[string, string][]>} info  Lines for people: title and value.
 * @property {() => Promise<{url: string, origins: string[]} | null>} address  As SLUICE_PEERS has it; null: not deployed.
 * @property {() => Promise<string>} order  SLUICE_ORDER of the functions that stand, '' where none do.
 * @property {() => Promise<Record<string, string>>} settings  Of the functions, for `--deployed`: where everything stands.
 * @property {(name: string, event: any) => Promise<any>} invoke  Call a function; gives its answer.
 * @property {(name: string, since: Date) => Promise<{at: string, text: string}[]>} logs  Of a function, the oldest first.
 * @property {(name: string) => Promise<string>} readSecret  Newest value, or '' where there is none.
 * @property {(name: string, value: string) => Promise<void>} writeSecret  Creates it, or adds a version if the value differs.
 * @property {(timestamp: string) => Promise<void>} [rollback]  Where the cloud has it.
 */

/** The framework's commands about a deployment, each with a lifecycle event: without a hook on it, the command is unknown. */
const EVENTS = {
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

const LOGS_SINCE = /^(\d+)([smhd])$/; // as `sls logs --startTime 30m` has it on AWS
const UNIT_S = { s: 1, m: 60, h: 3600, d: 86_400 };
const LOGS_SINCE_DEFAULT = '10m';

class DeploymentCommands {
  /**
   * @param {object} context
   * @param {object} context.service  The framework's.
   * @param {() => Deployment} context.deployment  Made when it is needed: it may load slow clients.
   * @param {Record<string, any>} context.options
   * @param {object} context.log  The framework's.
   * @param {(text: string) => void} context.write  To standard output.
   * @param {(message: string) => never} context.refuse
   */
  constructor({ service, deployment, options, log, write, refuse }) {
    Object.assign(this, { service, deployment, options, log, write, refuse });
  }

  /** By the framework's words. */
  get handlers() {
    return {
      deploy: () => this.deploy(),
      'deploy function': () => this.deployFunction(),
      info: () => this.info(),
      invoke: () => this.invoke(),
      logs: () => this.logs(),
      remove: () => this.remove(),
      rollback: () => this.rollback(),
    };
  }

  async deploy() {
    const reason = await this.#whyCutOff();
    if (this.options.plan) return this.#plan(reason);
    if (reason) this.refuse(reason);
    await this.#converge(await this.deployment().resources());
    await this.info();
  }

  async #plan(reason) {
    const steps = await plan(await this.deployment().resources());
    this.write(`${[...steps.map(describe), ...(reason ? [`warning: ${reason}`] : [])].join('\n')}\n`);
  }

  async deployFunction() {
    const reason = await this.#whyCutOff();
    if (reason) this.refuse(reason);
    await this.#converge(await this.deployment().resourcesOfFunction(this.options.function));
  }

  #whyCutOff() {
    return whyCutOff(this.service, () => this.deployment().order());
  }

  async #converge(resources) {
    const changedCount = await converge(resources, ({ action, resource, names }) => {
      if (action === 'create') this.log.notice(`created ${resource.title}`);
      if (action === 'update') this.log.notice(`updated ${resource.title}: ${names.join(', ')}`);
    });
    this.log.success(changedCount ? `${changedCount} of ${resources.length} changed` : `nothing changed: all ${resources.length} stand as declared`);
  }

  async info() {
    const lines = await this.deployment().info();
    this.write(`${lines.map(([title, value]) => `${title}: ${value}`).join('\n')}\n`);
  }

  async invoke() {
    const { function: name, data, path, raw } = this.options;
    const text = path ? readFileSync(path, 'utf8') : (data ?? '{}');
    this.write(`${JSON.stringify(await this.deployment().invoke(name, raw ? text : this.#parse(text)), null, 2)}\n`);
  }

  #parse(text) {
    try {
      return JSON.parse(text);
    } catch (error) {
      return this.refuse(`The event is no JSON: ${error.message}. With --raw it is sent as a text.`);
    }
  }

  async logs() {
    const since = sinceOf(this.options.startTime ?? LOGS_SINCE_DEFAULT, this.refuse);
    const lines = await this.deployment().logs(this.options.function, since);
    const wanted = lines.filter(({ text }) => text.includes(this.options.filter ?? ''));
    this.write(wanted.map(({ at, text }) => `${at} ${text}\n`).join(''));
  }

  async remove() {
    const deployment = this.deployment();
    const all = [...((await deployment.leftovers?.()) ?? []), ...(await deployment.resources())]; // the last go first
    const removedCount = await removeAll(all, {
      force: Boolean(this.options.force),
      tell: ({ title }) => this.log.notice(`removed ${title}`),
      refuse: this.refuse,
    });
    this.log.success(removedCount ? `${removedCount} removed` : 'nothing stood');
  }

  async rollback() {
    const { rollback } = this.deployment();
    if (!rollback) this.refuse('This cloud keeps no earlier deployments: check out the earlier commit, and deploy it; its package is the same bytes.');
    await rollback.call(this.deployment(), this.options.timestamp);
  }
}

/**
 * The moment that `--startTime` means: "30m" ago, or a date.
 * @param {string} text
 * @returns {Date}
 */
function sinceOf(text, refuse) {
  const [, count, unit] = text.match(LOGS_SINCE) ?? [];
  const since = count ? new Date(Date.now() - Number(count) * UNIT_S[unit] * 1000) : new Date(text);
  return Number.isNaN(since.getTime()) ? refuse(`--startTime is "${text}"; it must be like 30m, 2h or 2026-11-25T10:00:00Z.`) : since;
}

module.exports = { DeploymentCommands, EVENTS, sinceOf };
