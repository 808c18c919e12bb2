'use strict';

// What a project must have before anything else: APIs that are switched on, and accounts.

const { waitFor } = require('../lib/control-plane');
const { refuseUnmarked } = require('./google-api');

const USAGE = 'https://serviceusage.googleapis.com/v1/';
const IAM = 'https://iam.googleapis.com/v1/';
const ENABLE_WITHIN_MS = 300_000;
const ACCOUNT_WITHIN_MS = 60_000;

/** What the deployment, the functions and their builds call. At most 20 ("BatchEnableServicesRequest", Service Usage API). */
const APIS = [
  'artifactregistry', // holds the images that are built
  'cloudbuild',
  'cloudfunctions',
  'cloudresourcemanager', // the project's policy
  'cloudscheduler',
  'firestore',
  'iam',
  'iamcredentials', // signs URLs
  'logging',
  'monitoring', // tells how many messages wait
  'pubsub',
  'run',
  'secretmanager',
  'storage',
].map((name) => `${name}.googleapis.com`);

/**
 * The APIs. They stay when the deployment goes: others may use them.
 * @param {import('./google-api').GoogleApi} api
 * @param {import('./names').Names} names
 * @param {{projectNumber?: string}} found  Gets the project's number, of which Google makes the names of its own accounts.
 * @returns {import('../lib/converge').Resource}
 */
function apisOf(api, names, found) {
  const disabled = ({ services }) => {
    const enabled = services.filter(({ state }) => state === 'ENABLED').map(({ name }) => name.split('/').pop());
    return APIS.filter((name) => !enabled.includes(name));
  };
  return {
    title: `APIs of project ${names.project}`,
    read: async () => {
      const query = APIS.map((name) => `names=${names.inProject}/services/${name}`).join('&');
      const live = await api.ask('GET', `${USAGE}${names.inProject}/services:batchGet?${query}`);
      found.projectNumber = live.services[0].parent.split('/')[1];
      return live;
    },
    differences: disabled,
    create: async () => undefined, // a project always has an answer
    update: async (live) => {
      const json = { serviceIds: disabled(live) };
      const started = await api.ask('POST', `${USAGE}${names.inProject}/services:batchEnable`, { json });
      await api.done(started, { at: USAGE, what: 'Enabling APIs', forMs: ENABLE_WITHIN_MS });
      api.justEnabled = true;
    },
  };
}

/**
 * A service account.
 * @param {import('./google-api').GoogleApi} api
 * @param {import('./names').Names} names
 * @param {{name: string, purpose: string}} of
 * @returns {import('../lib/converge').Resource}
 */
function accountOf(api, names, { name, purpose }) {
  const title = `service account ${names.accountId(name)}`;
  const url = `${IAM}${names.inProject}/serviceAccounts/${names.account(name)}`;
  const read = async () => {
    const live = await api.find(url);
    if (live && !live.description?.includes(names.mark)) {
      refuseUnmarked(title, names.mark);
    }
    return live;
  };
  return {
    title,
    read,
    create: async () => {
      const serviceAccount = { displayName: purpose, description: names.mark };
      const json = { accountId: names.accountId(name), serviceAccount };
      await api.ask('POST', `${IAM}${names.inProject}/serviceAccounts`, { json });
      const look = async () => (await read()) ?? undefined; // it can be read some seconds later
      await waitFor(look, { what: `Making ${title}`, forMs: ACCOUNT_WITHIN_MS, everyMs: api.everyMs });
    },
    remove: () => api.ask('DELETE', url, { missing: null }),
  };
}

/** Pub/Sub's own account in this project. Asking for it makes it, if it was never used. */
async function makePubSubAgent(api, names) {
  const at = 'https://serviceusage.googleapis.com/v1beta1/';
  const started = await api.ask('POST', `${at}${names.inProject}/services/pubsub.googleapis.com:generateServiceIdentity`);
  await api.done(started, { at: USAGE, what: "Making Pub/Sub's service agent", forMs: ACCOUNT_WITHIN_MS });
}

/** Cloud Storage's own account in this project; likewise. ("projects.serviceAccount.get", Cloud Storage JSON API) */
async function makeStorageAgent(api, names) {
  await api.ask('GET', `https://storage.googleapis.com/storage/v1/${names.inProject}/serviceAccount`);
}

/** @param {string} projectNumber */
const agentsOf = (projectNumber) => ({
  pubsub: `serviceAccount:service-${projectNumber}@gcp-sa-pubsub.iam.gserviceaccount.com`,
  storage: `serviceAccount:service-${projectNumber}@gs-project-accounts.iam.gserviceaccount.com`,
});

module.exports = { APIS, accountOf, agentsOf, apisOf, makePubSubAgent, makeStorageAgent };
