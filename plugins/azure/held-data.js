'use strict';

// What a storage account holds that nobody could bring back.

const { CONTAINER, LEDGER, PARKED, WORK, WORK_POISON } = require('./names');

const PROBES = '.sluice/';
const VERSION = { 'x-ms-version': '2024-11-04' };
const TABLE = { 'x-ms-version': '2020-12-06', accept: 'application/json;odata=nometadata' };
const PAGE_COUNT = 100; // blobs of one answer

/** Without a role nobody sees; then only --force removes. */
const UNSEEN = 'nobody can see what it holds: you have no data roles there (docs/deploy/azure.md)';

/**
 * @param {import('../lib/control-plane').ControlPlane} plane  Of storage.
 * @param {string} account
 * @returns {Promise<string>} "it holds files (container uploads)", or ''.
 */
async function heldIn(plane, account) {
  try {
    const held = await list(plane, account);
    return held.length ? `it holds ${held.join(', ')}` : '';
  } catch (error) {
    if (error.status === 403) return UNSEEN;
    throw error;
  }
}

async function list(plane, account) {
  const url = (service, path) => `https://${account}.${service}.core.windows.net/${path}`;
  const ask = (target, headers) => plane.ask('GET', target, { headers, missing: null });
  const hasMessages = async (queue) => {
    const found = await ask(url('queue', `${queue}?comp=metadata`), VERSION); // also those that are hidden until their next try
    return Number(found?.answerHeaders.get('x-ms-approximate-messages-count')) > 0;
  };
  const held = [
    [await hasFiles(ask, url('blob', CONTAINER)), `files (container ${CONTAINER})`],
    [await hasRecords(ask, url('table', `${LEDGER}()`)), `records (table ${LEDGER})`],
    [await hasMessages(WORK), `work (queue ${WORK})`],
    [await hasMessages(WORK_POISON), `messages that the host gave up (queue ${WORK_POISON})`],
    [await hasMessages(PARKED), `parked messages (queue ${PARKED})`],
  ];
  return held.filter(([isHeld]) => isHeld).map(([, what]) => what);
}

/** A page may be empty although others follow ("Listing Blob storage resources"). */
async function hasFiles(ask, container) {
  for (let after = ''; ; ) {
    const found = await ask(`${container}?restype=container&comp=list&maxresults=${PAGE_COUNT}${after}`, VERSION);
    const text = found?.answerText ?? '';
    const names = [...text.matchAll(/<Blob><Name[^>]*>(.*?)<\/Name>/gs)].map(([, name]) => name);
    if (names.some((name) => !name.startsWith(PROBES))) return true;
    const [, marker] = text.match(/<NextMarker>(.+?)<\/NextMarker>/) ?? [];
    if (!marker) return false;
    after = `&marker=${encodeURIComponent(marker)}`;
  }
}

/** Here, too ("Query timeout and pagination", Table Storage). */
async function hasRecords(ask, table) {
  for (let after = ''; ; ) {
    const found = await ask(`${table}?$top=1${after}`, TABLE);
    if (found?.value.length) return true;
    const next = (name) => encodeURIComponent(found?.answerHeaders.get(`x-ms-continuation-${name}`) ?? '');
    if (!next('nextpartitionkey')) return false;
    after = `&NextPartitionKey=${next('nextpartitionkey')}&NextRowKey=${next('nextrowkey')}`;
  }
}

module.exports = { heldIn };
