'use strict';

// Functions of Cloud Run, made through the Cloud Functions v2 API: it builds the package, and makes a service of the image.

const { existsSync, readFileSync } = require('node:fs');
const { waitFor } = require('../lib/control-plane');
const { refuseForeign } = require('./google-api');
const { digest } = require('./names');
const { sameParts } = require('./same');

const FUNCTIONS = 'https://cloudfunctions.googleapis.com/v2/';
const BUILD_WITHIN_MS = 1_200_000;
const UNDER_WAY = ['DEPLOYING', 'DELETING'];
const PACKAGE_LABEL = 'package'; // of the function: which code it was made of
const PACKAGE_LABEL_CHARS = 40; // of the package's sha256; labels have 63 at most
const ADDED_BY_GOOGLE = ['LOG_EXECUTION_ID']; // to the environment, by other tools of Google's

/** By handler: the target in main.py (providers/gcp/package.py), and what calls it. */
const HANDLERS = {
  'handlers/gcp.process': { target: 'process', trigger: 'pubsub' },
  'handlers/api.app': { target: 'api', trigger: 'http' },
  'handlers/gcp.watch': { target: 'watch', trigger: 'schedule' },
};

/** What of a function is compared, and changed: paths of its update mask. */
const SERVICE_PARTS = [
  'availableCpu',
  'availableMemory',
  'environmentVariables',
  'maxInstanceCount',
  'maxInstanceRequestConcurrency',
  'secretEnvironmentVariables',
  'serviceAccountEmail',
  'timeoutSeconds',
];

class Package {
  /** @param {() => string | undefined} path  Known once it is written; there is none for commands that do not need it. */
  constructor(api, names, path) {
    Object.assign(this, { api, names, path });
  }

  get label() {
    const path = this.path();
    return path && existsSync(path) ? digest(readFileSync(path)).slice(0, PACKAGE_LABEL_CHARS) : undefined;
  }

  /** Upload it, once for all functions, and give where it is. */
  uploaded() {
    return (this.upload ??= this.#upload());
  }

  async #upload() {
    const url = `${FUNCTIONS}${this.names.inRegion}/functions:generateUploadUrl`;
    const { uploadUrl, storageSource } = await this.api.ask('POST', url, { json: { environment: 'GEN_2' } });
    // Exactly this header, and no token ("generateUploadUrl", Cloud Functions API).
    const headers = { 'content-type': 'application/zip' };
    await this.api.plane.ask('PUT', uploadUrl, { body: readFileSync(this.path()), headers, isAnonymous: true });
    return { storageSource };
  }
}

/**
 * A function.
 * @param {import('./google-api').GoogleApi} api
 * @param {import('./names').Names} names
 * @param {object} of
 * @param {string} of.name  In serverless.yml.
 * @param {() => Promise<object>} of.declare  Its "Function" (Cloud Functions API), without source.
 * @param {Package} of.code
 * @param {Map<string, object>} of.found  Gets the functions that stand, by their name in serverless.yml.
 * @returns {import('../lib/converge').Resource}
 */
function functionOf(api, names, { name, declare, code, found }) {
  const id = names.function(name);
  const title = `function ${id}`;
  const fullName = `${names.inRegion}/functions/${id}`;
  const finish = (started, what) => api.done(started, { at: FUNCTIONS, what: `${what} ${title}`, forMs: BUILD_WITHIN_MS });
  let declared;
  const read = async () => {
    const live = await api.find(`${FUNCTIONS}${fullName}`);
    if (live && !sameParts(live.labels, names.labels)) refuseForeign(title, names.labels);
    found.set(name, live);
    declared = await declare();
    return live;
  };
  const withSource = async () => {
    const buildConfig = { ...declared.buildConfig, source: await code.uploaded() };
    return { ...declared, name: fullName, buildConfig };
  };
  const patch = async (mask, json) => {
    const started = await api.ask('PATCH', `${FUNCTIONS}${fullName}?updateMask=${mask.join(',')}`, { json });
    await finish(started, 'Changing');
  };
  const create = async () => {
    const url = `${FUNCTIONS}${names.inRegion}/functions?functionId=${id}`;
    await finish(await api.ask('POST', url, { json: await withSource() }), 'Making');
    await read();
  };
  return {
    title,
    read,
    differences: (live) => differences(live, declared),
    create,
    update: async () => {
      const live = await settled(api, { title, read });
      if (!live) return create(); // what was under way was its removal
      const parts = differences(live, declared);
      if (!parts.length) return; // what was under way was this very change
      const mask = parts.filter((part) => !['state', 'labels'].includes(part));
      const json = { ...declared, name: fullName };
      if (mask.length) await patch(mask, mask.includes('buildConfig') ? await withSource() : json);
      // Afterwards, because it says which code runs: a function whose build failed goes on with the old one.
      if (parts.includes('labels')) await patch(['labels'], json);
      await read();
    },
    remove: async () => {
      if (!(await settled(api, { title, read }))) return; // nothing else can be begun while something is under way
      const started = await api.ask('DELETE', `${FUNCTIONS}${fullName}`, { missing: null });
      if (started) await finish(started, 'Removing');
    },
  };
}

/** Wait until nothing is done to a function any more. */
async function settled(api, { title, read }) {
  const look = async () => {
    const live = await read();
    return UNDER_WAY.includes(live?.state) ? undefined : live;
  };
  return waitFor(look, { what: `What was begun earlier with ${title}`, forMs: BUILD_WITHIN_MS, everyMs: api.everyMs });
}

/**
 * Paths of what differs. A function that is not well is made anew as a whole, because what stands of it is not certain.
 * @returns {string[]}
 */
function differences(live, declared) {
  const isActive = live.state === 'ACTIVE' && !live.stateMessages?.some(({ severity }) => severity === 'ERROR');
  const service = SERVICE_PARTS.filter((part) => !isActive || !samePart(part, live.serviceConfig, declared.serviceConfig));
  const { entryPoint, runtime, serviceAccount } = declared.buildConfig;
  const isBuilt = isActive && sameParts(live.buildConfig, { entryPoint, runtime, serviceAccount });
  const labels = declared.labels;
  return [
    ...(isActive ? [] : ['state']),
    ...((live.description ?? '') === declared.description ? [] : ['description']),
    ...(isBuilt && sameParts(live.labels, labels) ? [] : ['labels', 'buildConfig']),
    ...service.map((part) => `serviceConfig.${part}`),
  ];
}

function samePart(part, live, declared) {
  if (part === 'availableCpu' && !declared[part]) return true; // Google derives it from the memory
  if (part === 'environmentVariables') return sameMap(live?.[part] ?? {}, declared[part]);
  return sameParts(live?.[part], declared[part]);
}

/** Equal, so that what is no longer declared goes; but for what Google's tools add. */
function sameMap(live, declared) {
  const names = Object.keys(live).filter((name) => !ADDED_BY_GOOGLE.includes(name));
  return names.length === Object.keys(declared).length && sameParts(live, declared);
}

module.exports = { FUNCTIONS, HANDLERS, PACKAGE_LABEL, Package, differences, functionOf };
