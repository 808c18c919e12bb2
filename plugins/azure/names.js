'use strict';

// What everything is called. The same service, stage and subscription give the same names, so that a deployment finds its own
// again; what must be unique in the world gets a part of a hash.

const { createHash } = require('node:crypto');

/** Inside of the accounts, where names need not be unique. */
const CONTAINER = 'uploads';
const DEAD_LETTERS = 'deadletters';
const PACKAGES = 'packages';
const WORK = 'work';
const WORK_POISON = 'work-poison'; // the host's own name for it
const PARKED = 'parked';
const LEDGER = 'ledger';
const CONTROL = 'control';

/**
 * Names by what they name ("Naming rules and restrictions for Azure resources"; the host takes its own name from the first 32
 * characters of the site's: "Host ID considerations").
 * @param {{service: string, stage: string, subscriptionId: string}} deployment
 */
function namesOf({ service, stage, subscriptionId }) {
  const group = `${service}-${stage}`.toLowerCase();
  const hash = createHash('sha256').update(`${subscriptionId}/${group}`.toLowerCase()).digest('hex').slice(0, 8);
  const unique = (length) => `${group.slice(0, length - 9)}-${hash}`.replace(/-{2,}/g, '-');
  const account = (purpose) => `${group.replace(/[^a-z0-9]/g, '').slice(0, 12)}${hash}${purpose}`;
  return {
    group,
    site: unique(32),
    vault: unique(24),
    data: account('data'),
    host: account('host'),
    plan: `${group}-plan`,
    identity: `${group}-functions`,
    workspace: `${group}-logs`,
    insights: `${group}-insights`,
    topic: `${group}-uploads`,
  };
}

/**
 * A GUID that depends on the texts alone, as role assignments are named by one (RFC 9562, version 5, of no name space).
 * @param {...string} texts
 */
function guidOf(...texts) {
  const bytes = createHash('sha1').update(texts.join('\n').toLowerCase()).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

module.exports = { CONTAINER, CONTROL, DEAD_LETTERS, LEDGER, PACKAGES, PARKED, WORK, WORK_POISON, guidOf, namesOf };
