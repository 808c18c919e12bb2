'use strict';

// One thing in Resource Manager, as a resource that can be brought to its declaration.

const { ControlPlaneError } = require('../lib/control-plane');

/**
 * @param {import('./arm').Arm} arm
 * @param {object} declared
 * @param {string} declared.title
 * @param {string} declared.id
 * @param {string} declared.version  Of the API.
 * @param {object | (() => object)} declared.body  What is sent; a function where it needs what stands elsewhere.
 * @param {object} [declared.tags]  It carries them, and what stands without them is not ours to touch.
 * @param {boolean} [declared.isPart]  It goes with what it is a part of.
 * @param {() => Promise<string>} [declared.whyKept]
 * @returns {import('../lib/converge').Resource & {live: object | null}}  `live`: what was last seen.
 */
function armResource(arm, { title, id, version, body, tags, isPart = false, whyKept }) {
  const declared = () => ({ ...(typeof body === 'function' ? body() : body), ...(tags ? { tags } : {}) });
  const resource = {
    title,
    id,
    live: null,
    async read() {
      resource.live = await arm.read(id, version);
      if (resource.live && tags) requireOurs(resource.live, title, tags);
      return resource.live;
    },
    async create() {
      resource.live = await arm.put(id, version, declared());
    },
    differences(live) {
      const state = live.properties?.provisioningState;
      const { kind, ...comparable } = declared(); // it cannot change, and Azure adds to it
      return ['Failed', 'Canceled'].includes(state) ? ['provisioningState'] : differingPaths(comparable, live);
    },
    async update(live) {
      const wanted = declared();
      if (tags) wanted.tags = { ...live.tags, ...tags }; // others may have added their own
      resource.live = await arm.put(id, version, wanted);
    },
  };
  if (!isPart) resource.remove = () => arm.remove(id, version);
  if (whyKept) resource.whyKept = whyKept;
  return resource;
}

/** @throws {ControlPlaneError} What stands under our name does not carry our tags. */
function requireOurs(live, title, tags) {
  const missing = Object.entries(tags).filter(([name, value]) => live.tags?.[name] !== value);
  if (!missing.length) return;
  const needed = missing.map(([name, value]) => `${name}=${value}`).join(', ');
  throw new ControlPlaneError(`${title} exists, and is not ours: it lacks the tag ${needed}. Take another stage, or remove it yourself.`);
}

/**
 * Where the declaration differs from what stands. What Azure adds on its own is no difference.
 * @param {any} declared
 * @param {any} live
 * @returns {string[]} As "httpsOnly", without "properties."
 */
function differingPaths(declared, live, path = '') {
  if (declared === undefined) return [];
  if (declared === null || typeof declared !== 'object') return isSame(declared, live, path) ? [] : [path.replace(/^properties\./, '')];
  if (live === undefined) live = Array.isArray(declared) ? [] : {}; // Azure leaves out what is empty
  if (live === null || typeof live !== 'object' || (Array.isArray(declared) && declared.length !== live.length)) {
    return [path.replace(/^properties\./, '')];
  }
  return Object.entries(declared).flatMap(([name, value]) => differingPaths(value, valueOf(live, name), path ? `${path}.${name}` : name));
}

/** Names of identities are ids, of which Azure changes the case. */
function valueOf(live, name) {
  if (!name.startsWith('/')) return live[name];
  const found = Object.keys(live).find((other) => other.toLowerCase() === name.toLowerCase());
  return found && live[found];
}

/** Azure changes the case of ids and of choices, and writes "West Europe" for "westeurope". */
function isSame(declared, live, path) {
  if (declared === live) return true;
  if (typeof declared !== 'string' || typeof live !== 'string' || path.startsWith('tags.')) return false;
  const normal = path === 'location' ? live.replaceAll(' ', '') : live;
  return declared.toLowerCase() === normal.toLowerCase();
}

module.exports = { armResource, differingPaths, requireOurs };
