'use strict';

// What holds uploads and records: a bucket and a database. Both stay as long as they hold anything, unless it is forced.

const { ControlPlaneError, waitFor } = require('../lib/control-plane');
const { refuseForeign } = require('./google-api');
const { sameParts } = require('./same');

const FIRESTORE = 'https://firestore.googleapis.com/v1/';
const STORAGE = 'https://storage.googleapis.com/storage/v1/b';
const DATABASE_WITHIN_MS = 600_000;
const LEDGER = 'ledger'; // the collection of the records
const CONTROL = 'control'; // of route, votes and places, which come again
const OWN_PREFIX = '.sluice/'; // core/upload.py; probes and parts, and nobody's files
const AFTER_OWN_PREFIX = '.sluice0'; // the next name that could not begin with it
const DELETE_CONCURRENCY = 16;

/**
 * A Firestore database. It can have no labels, so that its name alone says whose it is.
 * @param {import('./google-api').GoogleApi} api
 * @param {import('./names').Names} names
 * @param {{isProtected: boolean, mayDeleteData: boolean}} how
 * @returns {import('../lib/converge').Resource}
 */
function databaseOf(api, names, { isProtected, mayDeleteData }) {
  const title = `database ${names.database}`;
  const name = `${names.inProject}/databases/${names.database}`;
  const deleteProtectionState = isProtected ? 'DELETE_PROTECTION_ENABLED' : 'DELETE_PROTECTION_DISABLED';
  const read = async () => {
    const live = await api.find(`${FIRESTORE}${name}`);
    if (live) requireLocation(title, live.locationId, names.region);
    return live;
  };
  const finish = (started, verb) => api.done(started, { at: FIRESTORE, what: `${verb} ${title}`, forMs: DATABASE_WITHIN_MS });
  const protect = async (state) => {
    const json = { name, deleteProtectionState: state };
    await finish(await api.ask('PATCH', `${FIRESTORE}${name}?updateMask=deleteProtectionState`, { json }), 'Changing');
  };
  const whyKept = async () => (mayDeleteData ? '' : whatItHolds(api, name));
  return {
    title,
    read,
    differences: (live) => (live.deleteProtectionState === deleteProtectionState ? [] : ['delete protection']),
    create: async () => {
      const json = {
        type: 'FIRESTORE_NATIVE',
        locationId: names.region,
        deleteProtectionState,
        pointInTimeRecoveryEnablement: 'POINT_IN_TIME_RECOVERY_ENABLED',
      };
      const url = `${FIRESTORE}${names.inProject}/databases?databaseId=${names.database}`;
      const look = async () => {
        const live = await read();
        if (live) return live;
        const started = await api.ask('POST', url, { json }).catch(unlessNameIsHeld);
        if (started) await finish(started, 'Making');
        return undefined;
      };
      await waitFor(look, { what: `Making ${title}`, forMs: DATABASE_WITHIN_MS, everyMs: api.everyMs });
    },
    update: () => protect(deleteProtectionState),
    remove: async (live, { force }) => {
      const reason = force ? '' : await whyKept(); // asked again: until now functions wrote
      if (reason) throw stays(title, reason);
      if (live.deleteProtectionState === 'DELETE_PROTECTION_ENABLED') await protect('DELETE_PROTECTION_DISABLED');
      await finish(await api.ask('DELETE', `${FIRESTORE}${name}`), 'Removing');
    },
    whyKept,
  };
}

/** Nothing else says whose a database is, so that any collection that we did not make keeps it as well. */
async function whatItHolds(api, name) {
  const { collectionIds = [] } = await api.ask('POST', `${FIRESTORE}${name}/documents:listCollectionIds`, { json: {} });
  const kept = collectionIds.filter((id) => id !== CONTROL);
  if (kept.includes(LEDGER)) return 'it holds records';
  return kept.length ? `it holds collections that are not this service's: ${kept.join(', ')}` : '';
}

/** By an earlier deployment that broke off while it was being made, or for some minutes by one that was removed. */
function unlessNameIsHeld(error) {
  if (error.code !== 'ALREADY_EXISTS' && !/retry in \d+ s/i.test(error.message)) throw error;
}

/**
 * The bucket.
 * @param {import('./google-api').GoogleApi} api
 * @param {import('./names').Names} names
 * @param {{partDays: number, mayDeleteData: boolean}} how
 * @returns {import('../lib/converge').Resource}
 */
function bucketOf(api, names, { partDays, mayDeleteData }) {
  const title = `bucket ${names.bucket}`;
  const url = `${STORAGE}/${names.bucket}`;
  const declared = {
    labels: names.labels,
    versioning: { enabled: true }, // an event names a version; overwriting must not change what it meant
    softDeletePolicy: { retentionDurationSeconds: '0' }, // versions are kept; probes, written every few seconds, need not be
    iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'enforced' },
    lifecycle: {
      rule: [
        { action: { type: 'Delete' }, condition: { age: partDays, matchesPrefix: [`${OWN_PREFIX}parts/`] } },
        { action: { type: 'Delete' }, condition: { daysSinceNoncurrentTime: 1, matchesPrefix: [OWN_PREFIX] } },
      ],
    },
  };
  return {
    title,
    read: async () => {
      const live = await api.find(url);
      if (live && !sameParts(live.labels, names.labels)) refuseForeign(title, names.labels);
      if (live) requireLocation(title, live.location?.toLowerCase(), names.region);
      return live;
    },
    differences: (live) => Object.keys(declared).filter((part) => !sameParts(live[part], declared[part])),
    create: () => {
      const json = { name: names.bucket, location: names.region, ...declared };
      return api.ask('POST', `${STORAGE}?project=${names.project}`, { json });
    },
    update: (live, parts) => {
      const json = Object.fromEntries(parts.map((part) => [part, declared[part]]));
      return api.ask('PATCH', url, { json });
    },
    remove: async (live, { force }) => {
      // Files that came since `whyKept` are nobody's to delete: Google itself refuses to delete a bucket that has any.
      await empty(api, url, force || mayDeleteData ? '' : OWN_PREFIX);
      await api.ask('DELETE', url).catch((error) => {
        throw error.status === 409 ? stays(title, 'it got files meanwhile') : error;
      });
    },
    whyKept: async () => (!mayDeleteData && (await holdsFiles(api, url)) ? 'it holds files, or old versions of files' : ''),
  };
}

/** A place cannot be changed. Told to whoever reads: a deployment would stand in two, a removal would leave half of it. */
function requireLocation(title, live, region) {
  if (live === region) return;
  const remedy = `set GOOGLE_CLOUD_REGION=${live}, or another stage`;
  throw new ControlPlaneError(`${title} stands in ${live}, and cannot move to ${region}: ${remedy}.`);
}

const stays = (title, reason) =>
  new ControlPlaneError(`${title} stays: ${reason}. Deploy again, or with --force it is removed all the same.`);

async function holdsFiles(api, url) {
  for (const range of [`endOffset=${encodeURIComponent(OWN_PREFIX)}`, `startOffset=${encodeURIComponent(AFTER_OWN_PREFIX)}`]) {
    const { items } = await api.ask('GET', `${url}/o?versions=true&maxResults=1&${range}`);
    if (items?.length) return true;
  }
  return false;
}

/** Delete every version of every object whose name begins so. */
async function empty(api, url, prefix) {
  for (;;) {
    const { items = [] } = await api.ask('GET', `${url}/o?versions=true&maxResults=1000&prefix=${encodeURIComponent(prefix)}`);
    if (!items.length) return;
    const remaining = [...items];
    const work = async () => {
      for (let item = remaining.pop(); item; item = remaining.pop()) {
        await api.ask('DELETE', `${url}/o/${encodeURIComponent(item.name)}?generation=${item.generation}`, { missing: null });
      }
    };
    await Promise.all(Array.from({ length: DELETE_CONCURRENCY }, work));
  }
}

module.exports = { CONTROL, LEDGER, STORAGE, bucketOf, databaseOf };
