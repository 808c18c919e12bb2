'use strict';

// A deployment to Azure: what belongs to it, and what can be asked of it.

const path = require('node:path');
const { ControlPlaneError } = require('../lib/control-plane');
const { ARM, Arm, makePlane } = require('./arm');
const { LOGS, callApi, logLines, messageBodies, runFunction } = require('./calls');
const { TAG, code } = require('./code');
const { connections, places, references } = require('./connections');
const { Declaration } = require('./declaration');
const { Login } = require('./login');
const { namesOf } = require('./names');
const { appSettings, environmentOf, readSettings } = require('./site');
const { Secrets } = require('./vault');

const STORAGE = 'https://storage.azure.com';
const VAULT = 'https://vault.azure.net';

/** @typedef {import('../lib/deployment-commands').Deployment} Deployment */

class AzureDeployment {
  /** @param {object} serverless  The framework's. */
  constructor(serverless) {
    const { service } = serverless;
    const { provider } = service;
    this.serverless = serverless;
    this.subscriptionId = requireSubscription(provider);
    this.names = namesOf({ service: service.service, stage: provider.stage, subscriptionId: this.subscriptionId });
    this.login = new Login();
    const emulator = process.env.SLUICE_CONTROL_PLANE ?? '';
    const plane = (resource) => makePlane(this.login, resource, emulator);
    this.arm = new Arm({ plane: plane(ARM), everyMs: emulator ? 10 : 2_000 });
    this.planes = { storage: plane(STORAGE), logs: plane(LOGS) };
    this.secrets = new Secrets({ plane: plane(VAULT), vault: this.names.vault });
    this.declaration = new Declaration(this);
  }

  get service() {
    return this.serverless.service;
  }

  /** Everything, in the order in which it is made. */
  async resources() {
    const { declaration } = this;
    await declaration.learnWho();
    return [...declaration.surroundings(), ...this.#app(), declaration.events.subscription];
  }

  /** An app is one package, and has one environment: with one function all are renewed. */
  async resourcesOfFunction(name) {
    this.service.getFunction(name);
    await this.#requireSite();
    await this.declaration.identity.read();
    await this.declaration.monitoring.insights.read();
    return this.#app().slice(-2);
  }

  #app() {
    const { declaration, arm, names } = this;
    const settings = appSettings(arm, {
      site: declaration.app.site,
      plain: () => ({
        ...environmentOf(this.service),
        ...places(names),
        ...connections(names, { identity: declaration.identity, insights: declaration.monitoring.insights }),
      }),
      referred: () => references(this.secrets, this.#secretsByName()),
    });
    const { plan, site, policies } = declaration.app;
    return [plan, site, ...policies, settings, code(arm, { site, packagePath: () => this.#packagePath() })];
  }

  #secretsByName() {
    return Object.fromEntries(Object.entries(this.service.provider.secrets ?? {}).filter(([, secret]) => secret));
  }

  #packagePath() {
    const { service, serviceDir, processedInput } = this.serverless;
    const folder = processedInput.options.package ?? '.serverless';
    return service.package.artifact ?? path.resolve(serviceDir, folder, `${service.service}.zip`);
  }

  async #requireSite() {
    const { site } = this.declaration.app;
    if (await site.read()) return site;
    const remedy = `npx sls deploy --cloud azure --stage ${this.service.provider.stage}`;
    throw new ControlPlaneError(`No app ${this.names.site} stands in subscription ${this.subscriptionId}: ${remedy}.`);
  }

  async #host() {
    return (await this.#requireSite()).live.properties.defaultHostName;
  }

  async info() {
    const host = await this.#host();
    const { live } = this.declaration.app.site;
    return [
      ['service', this.service.service],
      ['stage', this.service.provider.stage],
      ['subscription', this.subscriptionId],
      ['resource group', this.names.group],
      ['region', live.location],
      ['url', `https://${host}`],
      ['functions', `${Object.keys(this.service.functions).join(', ')}, in app ${this.names.site}`],
      ['uploads', `https://${this.names.data}.blob.core.windows.net/${places(this.names).SLUICE_BUCKET}`],
      ['vault', this.names.vault],
      ['package', live.tags?.[TAG] ?? 'none'],
    ];
  }

  /** null where nothing is deployed. */
  async address() {
    const live = await this.declaration.app.site.read();
    if (!live) return null;
    return { url: `https://${live.properties.defaultHostName}`, origins: [`https://${this.names.data}.blob.core.windows.net`] };
  }

  async order() {
    const { site } = this.declaration.app;
    return (await site.read()) ? ((await readSettings(this.arm, site)).SLUICE_ORDER ?? '') : '';
  }

  /** With the operator's own token, which lasts for an hour. */
  async settings() {
    return { SLUICE_LOCAL_DIR: '', ...places(this.names), SLUICE_STORAGE__token: await this.login.token(STORAGE) };
  }

  async invoke(name, event) {
    const { events } = this.service.getFunction(name);
    const host = await this.#host();
    if (events[0].http) return callApi(this.arm.plane, host, event);
    const { site } = this.declaration.app;
    const inputs = events[0].queue ? messageBodies(event) : [''];
    for (const input of inputs) await runFunction(this.arm, { site, host, name, input });
    return { started: inputs.length, answer: `none: what became of it is in "sls logs -f ${name}"` };
  }

  async logs(name, since) {
    this.service.getFunction(name);
    await this.#requireSite();
    const { properties } = (await this.declaration.monitoring.workspace.read()) ?? {};
    return logLines(this.planes.logs, { workspaceId: properties.customerId, site: this.names.site, name, since });
  }

  async readSecret(name) {
    return (await this.#hasVault()) ? this.secrets.read(name) : '';
  }

  async writeSecret(name, value) {
    if (!(await this.#hasVault())) throw new ControlPlaneError(`There is no vault ${this.names.vault}: deploy first.`);
    await this.secrets.write(name, value);
  }

  /** Without one, there is not even a host to ask. */
  async #hasVault() {
    const live = await this.declaration.vault.read();
    return Boolean(live) && !live.isLingering;
  }
}

function requireSubscription({ subscription }) {
  if (subscription) return subscription;
  const remedy = 'set AZURE_SUBSCRIPTION_ID ("az account show --query id -o tsv" prints it)';
  throw new ControlPlaneError(`provider.subscription is empty: ${remedy}.`);
}

module.exports = { AzureDeployment };
