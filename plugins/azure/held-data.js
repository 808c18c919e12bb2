'use strict';

// What a storage account holds that nobody could bring back.

const { CONTAINER, LEDGER, PARKED, WORK, WORK_POISON } = require('./names');

const PROBES = '.sluice/';
const VERSION = { 'x-ms-version': '2024-11-04' };
const TABLE = { 'x-ms-version': '2020-12-06', accept: 'application/json;odata=nometadata' };
const LOOK_COUNT = 10; // blobs: the probe is one, and sorts before most names

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
  const peek = (queue) => ask(url('queue', `${queue}/messages?peekonly=true`), VERSION);
  const [files, records, work, poison, parked] = [
    await ask(url('blob', `${CONTAINER}?restype=container&comp=list&maxresults=${LOOK_COUNT}`), VERSION),
    await ask(url('table', `${LEDGER}()?$top=1`), TABLE),
    await peek(WORK),
    await peek(WORK_POISON),
    await peek(PARKED),
  ];
  const names = [...(files?.answerText ?? '').matchAll(/<Blob><Name[^>]*>(.*?)<\/Name>/gs)].map(([, name]) => name);
  return [
    ...(names.some((name) => !name.startsWith(PROBES)) ? [`files (container ${CONTAINER})`] : []),
    ...(records?.value.length ? [`records (table ${LEDGER})`] : []),
    ...(hasMessages(work) ? [`work (queue ${WORK})`] : []),
    ...(hasMessages(poison) ? [`messages that the host gave up (queue ${WORK_POISON})`] : []),
    ...(hasMessages(parked) ? [`parked messages (queue ${PARKED})`] : []),
  ];
}

const hasMessages = (answer) => (answer?.answerText ?? '').includes('<QueueMessage>');

module.exports = { heldIn };
