'use strict';

// The app: its plan, itself, and its settings.

const { ControlPlaneError } = require('../lib/control-plane');
const { armResource } = require('./arm-resource');
const { PACKAGES } = require('./names');

const VERSION = '2025-05-01';

/**
 * @param {object} scope
 * @param {{identity: object, provider: object, instanceCount: number, threadCount: number}} parts
 * @returns {{plan: object, site: object, policies: object[]}}
 */
function app({ arm, group, region, tags, names }, { identity, provider, instanceCount, threadCount }) {
  const web = `${group}/providers/Microsoft.Web`;
  const plan = armResource(arm, {
    title: `plan ${names.plan}`,
    id: `${web}/serverfarms/${names.plan}`,
    version: VERSION,
    body: { location: region, kind: 'functionapp', sku: { name: 'FC1', tier: 'FlexConsumption' }, properties: { reserved: true } },
    tags,
  });
  const storage = {
    type: 'blobContainer',
    value: `https://${names.host}.blob.core.windows.net/${PACKAGES}`,
    authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id },
  };
  const scale = {
    maximumInstanceCount: instanceCount, // of each function by itself; those of HTTP are one
    instanceMemoryMB: Number(provider.memory_mib),
    triggers: { http: { perInstanceConcurrency: threadCount } },
  };
  const site = armResource(arm, {
    title: `app ${names.site}`,
    id: `${web}/sites/${names.site}`,
    version: VERSION,
    body: {
      location: region,
      kind: 'functionapp,linux',
      identity: { type: 'UserAssigned', userAssignedIdentities: { [identity.id]: {} } },
      properties: {
        serverFarmId: plan.id,
        httpsOnly: true,
        keyVaultReferenceIdentity: identity.id,
        functionAppConfig: {
          deployment: { storage },
          runtime: { name: 'python', version: provider.runtime.replace('python', '') },
          scaleAndConcurrency: scale,
        },
      },
    },
    tags,
  });
  const policies = ['scm', 'ftp'].map((kind) =>
    armResource(arm, {
      title: `no passwords for publishing (${kind})`,
      id: `${site.id}/basicPublishingCredentialsPolicies/${kind}`,
      version: VERSION,
      body: { properties: { allow: false } },
      isPart: true,
    }),
  );
  return { plan, site, policies };
}

/**
 * The app's settings. Those of other makers stay: Azure and its portal put their own beside ours. They are read by a POST:
 * a GET is not documented, and gives none of them ("Web Apps - List Application Settings").
 * @param {import('./arm').Arm} arm
 * @param {{site: object, plain: () => Record<string, string>, referred: () => Promise<Record<string, string>>}} parts
 */
function appSettings(arm, { site, plain, referred }) {
  const id = `${site.id}/config/appsettings`;
  let references = {};
  const declared = () => ({ ...plain(), ...references });
  const stale = (live) => Object.keys(live).filter((name) => name.startsWith('SLUICE_') && !(name in declared()));
  const write = async (live) => {
    const kept = Object.entries(live).filter(([name]) => !stale(live).includes(name));
    await arm.write(id, VERSION, { properties: { ...Object.fromEntries(kept), ...declared() } });
  };
  return {
    title: 'settings of the functions',
    async read() {
      if (!site.live) return null;
      references = await referred();
      return readSettings(arm, site);
    },
    create: () => write({}),
    differences: (live) => [...Object.entries(declared()).filter(([name, value]) => live[name] !== value).map(([name]) => name), ...stale(live)],
    update: write,
  };
}

/** An app's settings as they stand, by name ("Web Apps - List Application Settings", REST API). */
async function readSettings(arm, site) {
  return (await arm.post(`${site.id}/config/appsettings/list`, VERSION)).properties;
}

/**
 * What the functions find in their environment. One app has one environment: what two functions set must be the same.
 * @param {object} service  The framework's.
 * @returns {Record<string, string>} Without what is empty.
 * @throws {ControlPlaneError}
 */
function environmentOf({ provider, functions }) {
  const found = {};
  for (const [owner, { environment }] of [['provider', provider], ...Object.entries(functions)]) {
    for (const [name, value] of Object.entries(environment ?? {})) {
      if (name in found && found[name] !== String(value)) {
        throw new ControlPlaneError(`${owner}.environment.${name} differs from what another sets; an app of Azure has one environment.`);
      }
      found[name] = String(value);
    }
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== ''));
}

module.exports = { app, appSettings, environmentOf, readSettings };
