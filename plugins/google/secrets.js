'use strict';

// Secrets, which operators write and functions read. A function gets one version by number, so that a new value reaches it with
// the next deployment, and all its instances have the same one.

const { grantsTo } = require('./access');
const { refuseForeign } = require('./google-api');
const { rightsOn } = require('./rights');
const { sameParts } = require('./same');

const SECRETS = 'https://secretmanager.googleapis.com/v1/';
const PAGE_COUNT = 100;

class Secrets {
  /**
   * @param {import('./google-api').GoogleApi} api
   * @param {import('./names').Names} names
   * @param {object} service  The framework's; provider.secrets and functions.*.secrets: {environment variable: secret, or ''}.
   */
  constructor(api, names, service) {
    Object.assign(this, { api, names, service });
  }

  #url(secret) {
    return `${SECRETS}${this.names.inProject}/secrets/${secret}`;
  }

  /** [environment variable, secret], of those that are set. */
  #of(functionName) {
    const all = { ...this.service.provider.secrets, ...this.service.functions[functionName].secrets };
    return Object.entries(all).filter(([, secret]) => secret).sort();
  }

  /** Who may read each secret. A secret without our labels stays when the deployment goes: it is somebody else's. */
  rights(functions, ours) {
    const used = functions.flatMap(({ name, member }) => this.#of(name).map(([, secret]) => ({ secret, member })));
    return [...new Set(used.map(({ secret }) => secret))].map((secret) =>
      rightsOn(this.api, {
        what: `secret ${secret}`,
        kind: 'ordinary',
        url: () => this.#url(secret),
        grants: () => {
          const readers = used.filter((one) => one.secret === secret);
          return readers.flatMap(({ member }) => grantsTo(member, ['roles/secretmanager.secretAccessor']));
        },
        ours: ours.filter((member) => member.startsWith('serviceAccount:')),
        isShared: true,
        ifMissing: `Secret ${secret} is missing: make it (docs/deploy/gcp.md), or leave its parameter empty; then deploy again.`,
      }),
    );
  }

  /** A function's secretEnvironmentVariables ("SecretEnvVar", Cloud Functions API); a secret without a value has no version. */
  async versions(functionName) {
    const versions = this.#of(functionName).map(async ([key, secret]) => {
      const newest = await this.api.find(`${this.#url(secret)}/versions/latest`);
      return { key, secret, version: newest?.name.split('/').pop() ?? 'latest' };
    });
    return Promise.all(versions);
  }

  /** The newest value, or '' where there is none. */
  async read(secret) {
    const { payload } = (await this.api.find(`${this.#url(secret)}/versions/latest:access`)) ?? {};
    return payload ? Buffer.from(payload.data, 'base64').toString() : '';
  }

  /** What `write` made, whatever refers to it. */
  async ours() {
    const filter = Object.entries(this.names.labels).map(([name, value]) => `labels.${name}=${value}`).join(' AND ');
    const url = `${SECRETS}${this.names.inProject}/secrets?pageSize=${PAGE_COUNT}&filter=${encodeURIComponent(filter)}`;
    const { secrets = [] } = (await this.api.find(url)) ?? {};
    // Looked at again, because what is found is removed.
    return secrets.filter(({ labels }) => sameParts(labels, this.names.labels)).map(({ name }) => ({
      title: `secret ${name.split('/').pop()}`,
      read: () => this.api.find(`${SECRETS}${name}`),
      remove: () => this.api.ask('DELETE', `${SECRETS}${name}`, { missing: null }),
    }));
  }

  /** Create the secret, or give it another version if the value differs. */
  async write(secret, value) {
    const live = await this.api.find(this.#url(secret));
    if (live && !sameParts(live.labels, this.names.labels)) refuseForeign(`secret ${secret}`, this.names.labels);
    if (!live) {
      const json = { replication: { automatic: {} }, labels: this.names.labels };
      await this.api.ask('POST', `${SECRETS}${this.names.inProject}/secrets?secretId=${secret}`, { json });
    } else if ((await this.read(secret)) === value) {
      return;
    }
    const json = { payload: { data: Buffer.from(value).toString('base64') } };
    await this.api.ask('POST', `${this.#url(secret)}:addVersion`, { json });
  }
}

module.exports = { Secrets };
