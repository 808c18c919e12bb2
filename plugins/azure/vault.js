'use strict';

// The vault of the functions' secrets. A removed vault lingers for days under its name ("Azure Key Vault soft-delete overview"):
// a deployment takes it back, and a removal ends with its purge.

const { armResource, requireOurs } = require('./arm-resource');

const VERSION = '2023-07-01';
const DATA_VERSION = '7.4';
const DAY_COUNT = 7; // the fewest that it can linger

/** @returns {import('../lib/converge').Resource} */
function vault({ arm, subscription, group, region, tags, names }, { tenantOf }) {
  const resource = armResource(arm, {
    title: `vault ${names.vault}`,
    id: `${group}/providers/Microsoft.KeyVault/vaults/${names.vault}`,
    version: VERSION,
    body: () => bodyOf(region, tenantOf()),
    tags,
  });
  const lingeringAt = (place) => `${subscription}/providers/Microsoft.KeyVault/locations/${place}/deletedVaults/${names.vault}`;
  const { read, differences, update } = resource;
  const remove = async () => {
    const lingering = lingeringAt(resource.live?.location ?? region); // whoever removes may have another region set
    if (!resource.live?.isLingering) await arm.remove(resource.id, VERSION);
    const found = await arm.read(lingering, VERSION);
    const isProtected = found?.properties.purgeProtectionEnabled; // by somebody's policy: then only time ends it
    if (found && !isProtected) await arm.post(`${lingering}/purge`, VERSION);
  };
  return Object.assign(resource, {
    async read() {
      if (await read()) return resource.live;
      const found = await arm.read(lingeringAt(region), VERSION);
      resource.live = found ? { ...found, location: region, tags: found.properties.tags, isLingering: true } : null;
      if (found) requireOurs(resource.live, `the removed ${resource.title}`, tags);
      return resource.live;
    },
    differences: (live) => (live.isLingering ? ['removed, and to be taken back'] : differences(live)),
    async update(live) {
      if (live.isLingering) {
        const { location, properties } = bodyOf(region, tenantOf());
        live = await arm.put(resource.id, VERSION, { location, tags, properties: { ...properties, createMode: 'recover' } });
      }
      await update(live);
    },
    remove,
  });
}

/**
 * Access policies are none, and required all the same ("Vaults - Create Or Update"). `enablePurgeProtection` is left out: once true it cannot be taken back, and a removed
 * vault would stay for days.
 */
function bodyOf(region, tenantId) {
  const rules = { enableRbacAuthorization: true, enableSoftDelete: true, softDeleteRetentionInDays: DAY_COUNT };
  return { location: region, properties: { tenantId, sku: { family: 'A', name: 'standard' }, accessPolicies: [], ...rules } };
}

/** The secrets in it, over the vault's own control plane. */
class Secrets {
  /** @param {{plane: import('../lib/control-plane').ControlPlane, vault: string}} how */
  constructor({ plane, vault: name }) {
    Object.assign(this, { plane, name });
    this.url = (secret) => `https://${name}.vault.azure.net/secrets/${secret}?api-version=${DATA_VERSION}`;
  }

  /** The newest value, or '' where there is none. */
  async read(name) {
    return (await this.plane.find(this.url(name)))?.value ?? '';
  }

  /** The URL of the newest version, or '' where there is none. */
  async versionUrl(name) {
    return (await this.plane.find(this.url(name)))?.id ?? '';
  }

  /** Creates it, or adds a version if the value differs. */
  async write(name, value) {
    if ((await this.read(name)) !== value) await this.plane.ask('PUT', this.url(name), { json: { value } });
  }
}

module.exports = { Secrets, vault };
