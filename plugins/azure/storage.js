'use strict';

// Two storage accounts. The uploads' own holds files, queues and records, and gives the functions no more than they use; the
// host's own holds packages, locks and function keys, over which the host insists on being owner ("Connecting to host storage
// with an identity", Azure Functions documentation).

const { armResource } = require('./arm-resource');
const { CONTAINER, CONTROL, DEAD_LETTERS, LEDGER, PACKAGES, PARKED, WORK, WORK_POISON } = require('./names');
const { heldIn } = require('./held-data');

const VERSION = '2025-08-01';

/** Keys would be open doors beside the roles, so there are none. */
const CLOSED = {
  supportsHttpsTrafficOnly: true,
  minimumTlsVersion: 'TLS1_2',
  allowBlobPublicAccess: false,
  allowSharedKeyAccess: false,
  allowCrossTenantReplication: false,
};

const DAY_COUNT = 7;

/** A probe is written every few seconds; its earlier versions are of no use. */
const FORGET_PROBES = {
  name: 'forget-old-probes',
  enabled: true,
  type: 'Lifecycle',
  definition: {
    filters: { blobTypes: ['blockBlob'], prefixMatch: [`${CONTAINER}/.sluice/`] },
    actions: { version: { delete: { daysAfterCreationGreaterThan: 1 } } },
  },
};

function account({ arm, group, region, tags }, name, more = {}) {
  const id = `${group}/providers/Microsoft.Storage/storageAccounts/${name}`;
  const body = { location: region, kind: 'StorageV2', sku: { name: 'Standard_LRS' }, properties: CLOSED };
  return armResource(arm, { title: `storage account ${name}`, id, version: VERSION, body, tags, ...more });
}

/** A part of an account: a container, a queue, a table, or its settings. */
function part(arm, owner, title, path, properties) {
  return armResource(arm, { title, id: `${owner.id}/${path}`, version: VERSION, body: { properties }, isPart: true });
}

const container = (arm, owner, name) =>
  part(arm, owner, `container ${name}`, `blobServices/default/containers/${name}`, { publicAccess: 'None' });
const queue = (arm, owner, name) => part(arm, owner, `queue ${name}`, `queueServices/default/queues/${name}`, {});
const table = (arm, owner, name) => part(arm, owner, `table ${name}`, `tableServices/default/tables/${name}`, {});

/**
 * The account of the uploads. Without `isDataLeft` it is removed whatever it holds.
 * @returns {{account: object, containers: object, queues: object, tables: object, all: object[]}}
 */
function uploadStorage(scope, { planes, isDataKept }) {
  const { arm, names } = scope;
  const owner = account(scope, names.data, isDataKept ? { whyKept: () => heldIn(planes.storage, names.data) } : {});
  const named = (make, list) => Object.fromEntries(list.map((name) => [name, make(arm, owner, name)]));
  const retention = { enabled: true, days: DAY_COUNT };
  const protection = { isVersioningEnabled: true, deleteRetentionPolicy: retention, containerDeleteRetentionPolicy: retention };
  const containers = named(container, [CONTAINER, DEAD_LETTERS]);
  const queues = named(queue, [WORK, WORK_POISON, PARKED]);
  const tables = named(table, [LEDGER, CONTROL]);
  const settings = [
    part(arm, owner, 'versions and undeletion of files', 'blobServices/default', protection),
    part(arm, owner, 'end of old probes', 'managementPolicies/default', { policy: { rules: [FORGET_PROBES] } }),
  ];
  const parts = [containers, queues, tables].flatMap((kind) => Object.values(kind));
  return { account: owner, containers, queues, tables, all: [owner, ...settings, ...parts] };
}

/** The account of the host. */
function hostStorage(scope) {
  const owner = account(scope, scope.names.host);
  const packages = container(scope.arm, owner, PACKAGES);
  return { account: owner, packages, all: [owner, packages] };
}

module.exports = { hostStorage, uploadStorage };
