'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { test } = require('node:test');
const { Arm, makePlane } = require('../azure/arm');
const { differingPaths } = require('../azure/arm-resource');
const { messageBodies } = require('../azure/calls');
const { resourceGroup } = require('../azure/group');
const { heldIn } = require('../azure/held-data');
const { guidOf, namesOf } = require('../azure/names');
const { environmentOf } = require('../azure/site');
const { vault } = require('../azure/vault');

const SUBSCRIPTION = '5ab5c71b-0000-4000-8000-00000000d6a0';

/** Resource Manager that gives the answers in turn, each [status, JSON, headers]. */
async function answering(t, answers) {
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const [status, json, headers = {}] = answers[asked.length - 1];
    response.writeHead(status, headers).end(JSON.stringify(json));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const login = { token: async () => 'a token' };
  const plane = makePlane(login, 'https://management.azure.com', `http://127.0.0.1:${server.address().port}`);
  return { plane, arm: new Arm({ plane, everyMs: 1 }), asked };
}

test('what was made a moment ago, and is not found yet, is waited for', async (t) => {
  const { arm, asked } = await answering(t, [[201, {}], [404, {}], [200, { properties: { provisioningState: 'Creating' } }], [200, { name: 'n' }]]);

  assert.equal((await arm.put('/subscriptions/s/n', '2025-01-01', {})).name, 'n');
  assert.equal(asked[3], 'GET /management.azure.com/subscriptions/s/n?api-version=2025-01-01');
});

test('what is being removed is waited for, and then is not there', async (t) => {
  const { arm, asked } = await answering(t, [[200, { properties: { provisioningState: 'Deleting' } }], [404, {}], [404, {}]]);

  assert.equal(await arm.read('/subscriptions/s/n', '2025-01-01'), null);
  assert.equal(asked.length, 2);
});

test('where a provider is not registered yet, nothing of it stands', async (t) => {
  const error = { code: 'MissingSubscriptionRegistration', message: 'The subscription is not registered to use it' };
  const { arm } = await answering(t, [[409, { error }]]);

  assert.equal(await arm.read('/subscriptions/s/providers/Microsoft.KeyVault/locations/r/deletedVaults/v', '2023-07-01'), null);
});

test('what stands in another region is told, and not to wait', async (t) => {
  const error = { code: 'InvalidResourceGroupLocation', message: 'The resource group g exists in location eastus' };
  const { arm } = await answering(t, [[409, { error }]]);

  await assert.rejects(arm.put('/subscriptions/s/resourceGroups/g', '2021-04-01', {}), /eastus\. It stands in another region: set AZURE_REGION/);
});

test('a link that leads elsewhere is not followed: it would be sent a token', async (t) => {
  for (const location of ['https://management.azure.com.example/x', 'https://evil.example/x', 'http://management.azure.com/x']) {
    const { arm, asked } = await answering(t, [[202, {}, { location }]]);

    await assert.rejects(arm.remove('/subscriptions/s/n', '2025-01-01'), /sent us to .*, which is not followed/);
    assert.equal(asked.length, 1);
  }
});

test('a region may answer for itself', async (t) => {
  const headers = { location: 'https://westeurope.management.azure.com/operations/1' };
  const { arm, asked } = await answering(t, [[202, {}, headers], [202, {}], [200, {}]]);

  await arm.remove('/subscriptions/s/n', '2025-01-01');

  assert.equal(asked[2], 'GET /westeurope.management.azure.com/operations/1');
});

test('an operation that ends badly is told in one line, with what to do', async (t) => {
  const headers = { 'azure-asyncoperation': 'https://management.azure.com/operations/1' };
  const failed = { status: 'Failed', error: { code: 'QuotaExceeded', message: 'No more\nof them.' } };
  const { arm } = await answering(t, [[201, {}, headers], [200, { status: 'InProgress' }], [200, failed]]);

  await assert.rejects(arm.put('/subscriptions/s/plans/p', '2025-01-01', {}), {
    message: 'Azure gave up on plans/p (QuotaExceeded): No more of them. Ask for a larger quota, or take another region (AZURE_REGION).',
  });
});

test('a vault that must not be purged is left to its time', async (t) => {
  const protectedOne = { properties: { purgeProtectionEnabled: true } };
  const { arm, asked } = await answering(t, [[200, {}], [200, protectedOne]]);
  const scope = { arm, subscription: '/subscriptions/s', group: '/subscriptions/s/resourceGroups/g', region: 'r', names: { vault: 'v' } };

  await vault(scope, {}).remove();

  assert.deepEqual(asked.map((line) => line.split(' ')[0]), ['DELETE', 'GET']);
});

test('a vault is purged in the region where it stood', async (t) => {
  const tags = { stage: 'dev' };
  const { arm, asked } = await answering(t, [[200, { location: 'eastus', tags }], [200, {}], [200, { properties: {} }], [202, {}]]);
  const scope = { arm, subscription: '/subscriptions/s', group: '/subscriptions/s/resourceGroups/g', region: 'westeurope', names: { vault: 'v' }, tags };
  const resource = vault(scope, {});

  await resource.read();
  await resource.remove();

  assert.match(asked[3], /^POST .*\/locations\/eastus\/deletedVaults\/v\/purge\?/);
});

test('what forbids a change is told as what it is', async (t) => {
  const told = { ScopeLocked: /A lock protects it/, RequestDisallowedByPolicy: /A policy forbids it/ };

  for (const [code, line] of Object.entries(told)) {
    const { arm } = await answering(t, [[code === 'ScopeLocked' ? 409 : 403, { error: { code, message: 'no' } }]]);
    await assert.rejects(arm.remove('/subscriptions/s/n', '2025-01-01'), line);
  }
});

test('a group goes with what Azure made and what is removed already, and stays with anything else', async (t) => {
  const group = '/subscriptions/s/resourceGroups/g';
  const at = (type, name) => ({ id: `${group}/providers/${type}/${name}`, type, name });
  const site = at('Microsoft.Web/sites', 'ours');
  const byAzure = [
    at('microsoft.insights/actiongroups', 'Application Insights Smart Detection'),
    at('microsoft.alertsmanagement/smartDetectorAlertRules', 'Failure Anomalies - logs'),
  ];
  const foreign = [at('microsoft.insights/actiongroups', 'on call'), at('Microsoft.Web/sites', 'theirs')];
  const removal = async (value) => {
    const { arm, asked } = await answering(t, [[200, { value }], [200, {}]]);
    await resourceGroup({ arm, group, names: { insights: 'logs' } }, () => [site.id.toLowerCase()]).remove();
    return asked[1];
  };

  assert.match(await removal([site, ...byAzure]), /^DELETE .*\/resourceGroups\/g\?/);
  await assert.rejects(removal([site, ...byAzure, ...foreign]), /not ours: on call \(microsoft.insights\/actiongroups\), theirs \(Microsoft.Web\/sites\)\.$/);
});

test('what nobody can see is kept', async (t) => {
  const { plane } = await answering(t, [[403, { error: { code: 'AuthorizationPermissionMismatch', message: 'no' } }]]);

  assert.match(await heldIn(plane, 'account'), /^nobody can see what it holds: you have no data roles there/);
});

const NO_FILES = [200, '<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>'];
const NO_RECORDS = [200, { value: [] }];
const messages = (count) => [200, {}, { 'x-ms-approximate-messages-count': `${count}` }];

test('an empty page is not the end: files and records of a later one are held, too', async (t) => {
  const probeAlone = [200, '<Blobs><Blob><Name>.sluice/probe</Name></Blob></Blobs><NextMarker>2!88!x</NextMarker>'];
  const later = [200, '<Blobs><Blob><Name>a.txt</Name></Blob></Blobs><NextMarker/>'];
  const emptyPage = [200, { value: [] }, { 'x-ms-continuation-nextpartitionkey': '1!8!x', 'x-ms-continuation-nextrowkey': '1!4!y' }];
  const pages = [[200, '<Blobs/><NextMarker>1!88!x</NextMarker>'], probeAlone, later, emptyPage, [200, { value: [{}] }]];
  const { plane, asked } = await answering(t, [...pages, messages(0), messages(0), messages(0)]);

  assert.equal(await heldIn(plane, 'a'), 'it holds files (container uploads), records (table ledger)');
  assert.match(asked[2], /&marker=2!88!x$/);
  assert.match(asked[4], /\$top=1&NextPartitionKey=1!8!x&NextRowKey=1!4!y$/);
});

test('messages that are hidden until their next try are held, too', async (t) => {
  const { plane, asked } = await answering(t, [NO_FILES, NO_RECORDS, messages(2), messages(0), messages(1)]);

  assert.equal(await heldIn(plane, 'a'), 'it holds work (queue work), parked messages (queue parked)');
  assert.match(asked[2], /^GET \/a\.queue\.core\.windows\.net\/work\?comp=metadata$/); // counts them; peeking does not see them
});

test('nothing is held where there is the probe alone', async (t) => {
  const probe = [200, '<Blobs><Blob><Name>.sluice/probe</Name></Blob></Blobs><NextMarker/>'];
  const { plane } = await answering(t, [probe, NO_RECORDS, messages(0), messages(0), messages(0)]);

  assert.equal(await heldIn(plane, 'a'), '');
});

test('names keep to the rules of each service, however long the stage is', () => {
  const rules = { site: /^[a-z](-?[a-z0-9]){1,31}$/, vault: /^[a-z](-?[a-z0-9]){2,23}$/, data: /^[a-z0-9]{3,24}$/, host: /^[a-z0-9]{3,24}$/ };

  for (const stage of ['dev', 'Prod', 'a', 'feature-with-a-very-long-name-indeed', 'x--y-']) {
    const names = namesOf({ service: 'sluice', stage, subscriptionId: SUBSCRIPTION });
    for (const [name, rule] of Object.entries(rules)) assert.match(names[name], rule, `${name} of stage ${stage}`);
  }
});

test('names are the same for the same deployment, and others for another one', () => {
  const deployment = { service: 'sluice', stage: 'dev', subscriptionId: SUBSCRIPTION };
  const { site } = namesOf(deployment);

  assert.equal(namesOf({ ...deployment, subscriptionId: SUBSCRIPTION.toUpperCase() }).site, site);
  assert.notEqual(namesOf({ ...deployment, stage: 'prod' }).site, site);
  assert.notEqual(namesOf({ ...deployment, subscriptionId: guidOf('another') }).site, site);
});

test('a role assignment is named by a GUID that depends on its texts alone', () => {
  assert.match(guidOf('a', 'b'), /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(guidOf('A', 'b'), guidOf('a', 'B'));
  assert.notEqual(guidOf('ab', ''), guidOf('a', 'b'));
});

test('what Azure adds, and how it writes ids and regions, is no difference', () => {
  const declared = { location: 'westeurope', identity: { ids: { '/subscriptions/S/a': {} } }, properties: { planId: '/subscriptions/S/p', sku: 'PerGB2018' } };
  const live = {
    id: 'x',
    location: 'West Europe',
    identity: { ids: { '/subscriptions/s/A': { clientId: 'c' } } },
    properties: { planId: '/subscriptions/s/P', state: 'Running', sku: 'pergb2018' },
  };

  assert.deepEqual(differingPaths(declared, live), []);
});

test('an empty part that Azure leaves out is no difference, a missing value is one', () => {
  assert.deepEqual(differingPaths({ properties: { policies: [] } }, { name: 'work' }), []);
  assert.deepEqual(differingPaths({ types: ['a'] }, {}), ['types']);
  assert.deepEqual(differingPaths({ properties: { policy: { days: 7 } } }, { properties: {} }), ['policy.days']);
});

test('a difference is told with its place', () => {
  const declared = { properties: { httpsOnly: true, scale: { count: 5, memory: 512 }, types: ['a', 'b'], name: 'x' }, tags: { stage: 'dev' } };
  const live = { properties: { httpsOnly: false, scale: { count: 5 }, types: ['a'], name: 'y' }, tags: { stage: 'Dev' } };

  assert.deepEqual(differingPaths(declared, live), ['httpsOnly', 'scale.memory', 'types', 'name', 'tags.stage']);
});

test('an app has one environment, so what two functions set must be the same', () => {
  const provider = { environment: { A: 1, EMPTY: '' } };

  assert.deepEqual(environmentOf({ provider, functions: { f: { environment: { B: 2 } }, g: { environment: { B: '2' } } } }), { A: '1', B: '2' });
  assert.throws(() => environmentOf({ provider, functions: { f: { environment: { A: 3 } } } }), /f\.environment\.A differs from what another sets/);
});

test('a delivery has the bodies of its messages, and any other event is one itself', () => {
  assert.deepEqual(messageBodies({ messages: [{ body: 'a' }, { body: 'b' }] }), ['a', 'b']);
  assert.deepEqual(messageBodies({ id: 1 }), ['{"id":1}']);
  assert.deepEqual(messageBodies('raw'), ['raw']);
});
