'use strict';

// A deployment to Google Cloud, as the commands want it.

const path = require('node:path');
const { ControlPlaneError } = require('../lib/control-plane');
const { callApi, callWithEvent, identityToken, readLogs } = require('./calls');
const { BUILDER, Declaration, INVOKER } = require('./declaration');
const { FUNCTIONS, Package } = require('./functions');
const { GoogleApi } = require('./google-api');
const { Names } = require('./names');
const { Secrets } = require('./secrets');
const { requireShape } = require('./shape');

/** Where presigned URLs point (providers/gcp/clients.py). */
const STORAGE_ORIGIN = 'https://storage.googleapis.com';

/** @implements {import('../lib/deployment-commands').Deployment} */
class GoogleDeployment {
  /** @param {object} serverless  The framework's. */
  constructor(serverless) {
    const { service } = serverless;
    const { project, region, stage } = service.provider;
    requireShape(service, [BUILDER, INVOKER]);
    this.serverless = serverless;
    this.service = service;
    this.names = new Names({ service: service.service, stage, project, region });
    this.api = new GoogleApi({ project, emulator: process.env.SLUICE_CONTROL_PLANE ?? '' });
    this.secrets = new Secrets(this.api, this.names, service);
    const code = new Package(this.api, this.names, () => this.#packagePath());
    this.declaration = new Declaration({ api: this.api, names: this.names, service, code, secrets: this.secrets });
  }

  async resources() {
    return this.declaration.resources();
  }

  /** Secrets that `sls peer-keys` stored. */
  async leftovers() {
    return this.secrets.ours();
  }

  async resourcesOfFunction(name) {
    this.service.getFunction(name);
    await this.#functionOf(name); // it needs accounts and rights, which a whole deployment makes
    return this.declaration.ofFunction(name);
  }

  async info() {
    const { names } = this;
    const api = await this.#functionOf(this.#apiName());
    const functions = Object.keys(this.service.functions).map(async (name) => {
      const found = await this.#find(name);
      return [`function ${name}`, found ? `${found.state}, ${found.serviceConfig?.uri ?? 'no address'}` : 'missing'];
    });
    return [
      ['service', this.service.service],
      ['stage', this.service.provider.stage],
      ['project', names.project],
      ['region', names.region],
      ['url', api.serviceConfig.uri],
      ...(await Promise.all(functions)),
      ['bucket', names.bucket],
      ['database', names.database],
    ];
  }

  async address() {
    const { uri } = (await this.#find(this.#apiName()))?.serviceConfig ?? {};
    return uri ? { url: uri, origins: [STORAGE_ORIGIN] } : null;
  }

  /** Of the API, for all functions: they are told the same. */
  async order() {
    return (await this.#find(this.#apiName()))?.serviceConfig?.environmentVariables?.SLUICE_ORDER ?? '';
  }

  /** Python asks with the operator's own credentials, as this does. */
  async settings() {
    return { SLUICE_LOCAL_DIR: '', ...this.declaration.places() };
  }

  async invoke(name, event) {
    const { events } = this.service.getFunction(name);
    const { uri } = (await this.#functionOf(name)).serviceConfig;
    if (events[0].http?.access === 'public') return callApi(this.api, uri, event);
    const token = await identityToken(this.api, { account: this.names.account(INVOKER), audience: uri });
    if (!events[0].http) return callWithEvent(this.api, { uri, token, event });
    return callApi(this.api, uri, { ...event, headers: { ...event.headers, authorization: `Bearer ${token}` } });
  }

  async logs(name, since) {
    this.service.getFunction(name);
    const { project, region } = this.names;
    return readLogs(this.api, { project, region, service: this.names.function(name), since });
  }

  async readSecret(name) {
    return this.secrets.read(name);
  }

  async writeSecret(name, value) {
    await this.secrets.write(name, value);
  }

  /** The function that answers HTTP requests. */
  #apiName() {
    const [name] = Object.entries(this.service.functions).find(([, { events }]) => events[0].http) ?? [];
    if (name) return name;
    throw new ControlPlaneError('No function of serverless.yml has the event http, so that the service has no address.');
  }

  async #find(name) {
    return this.api.find(`${FUNCTIONS}${this.names.inRegion}/functions/${this.names.function(name)}`);
  }

  async #functionOf(name) {
    const found = await this.#find(name);
    if (found?.serviceConfig?.uri) return found;
    const where = `project ${this.names.project}, region ${this.names.region}`;
    const id = this.names.function(name);
    throw new ControlPlaneError(`Function ${id} does not stand in ${where}: \`npx sls deploy --cloud gcp\`.`);
  }

  #packagePath() {
    const { service, serviceDir, processedInput } = this.serverless;
    const folder = processedInput.options.package ?? '.serverless';
    return service.package.artifact ?? path.resolve(serviceDir, folder, `${service.service}.zip`);
  }
}

module.exports = { GoogleDeployment };
