'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { callApi } = require('../google/calls');
const { differences } = require('../google/functions');
const { Names } = require('../google/names');
const { withGrants } = require('../google/rights');
const { sameParts } = require('../google/same');

const OURS = 'serviceAccount:ours@p.iam.gserviceaccount.com';
const OTHER = 'user:other@example.com';

test('names keep to the rules of each service, however long the stage is', () => {
  for (const stage of ['dev', 'Prod_1', 'feature-with-a-very-long-name-indeed-and-more-of-it']) {
    const names = new Names({ service: 'Sluice', stage, project: 'my-project', region: 'europe-west1' });

    assert.match(names.bucket, /^[a-z][a-z0-9-]{1,61}[a-z0-9]$/);
    assert.match(names.database, /^[a-z][a-z0-9-]{2,61}[a-z0-9]$/);
    assert.match(names.function('process'), /^[a-z][a-z0-9-]{0,47}[a-z0-9]$/);
    assert.match(names.accountId('process'), /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/);
    for (const label of Object.values(names.labels)) assert.match(label, /^[a-z0-9_-]{1,63}$/);
  }
});

test('names that had to be cut stay different, and the bucket is of one project alone', () => {
  const stage = 'a-stage-with-a-long-name';
  const one = new Names({ service: 'sluice', stage, project: 'my-project', region: 'europe-west1' });
  const other = new Names({ service: 'sluice', stage, project: 'our-project', region: 'europe-west1' });

  assert.notEqual(one.accountId('process'), one.accountId('api'));
  assert.notEqual(one.bucket, other.bucket);
});

test("other people's entries in a policy stay as they are", () => {
  const condition = { title: 't', expression: 'e' };
  const policy = {
    etag: 'x',
    bindings: [
      { role: 'a', members: [OTHER, OURS] },
      { role: 'b', members: [`deleted:${OURS}?uid=1`] },
      { role: 'c', members: [OTHER], condition },
    ],
  };

  const changed = withGrants(policy, [{ role: 'c', member: OURS }, { role: 'c', member: OURS, condition }], [OURS]);

  assert.deepEqual(changed, {
    etag: 'x',
    bindings: [
      { role: 'a', members: [OTHER] },
      { role: 'c', members: [OTHER, OURS], condition },
      { role: 'c', members: [OURS] },
    ],
  });
});

test('what Google adds to a thing is no difference, and a list is one as a whole', () => {
  assert.ok(sameParts({ a: { b: 1, added: 2 }, more: 3 }, { a: { b: 1 } }));
  assert.ok(!sameParts({ a: ['x', 'y'] }, { a: ['x'] }));
  assert.ok(!sameParts(undefined, { a: 1 }));
});

test('a function that is not well is made anew, although it stands as declared', () => {
  const buildConfig = { runtime: 'python313', entryPoint: 'api', serviceAccount: 'builder' };
  const serviceConfig = { availableMemory: '256Mi', timeoutSeconds: 29, environmentVariables: { A: '1' } };
  const declared = { description: '', labels: { stage: 'dev' }, buildConfig, serviceConfig };
  const withAdded = { ...serviceConfig, environmentVariables: { A: '1', LOG_EXECUTION_ID: 'true' } };
  const live = { ...declared, state: 'ACTIVE', serviceConfig: withAdded };

  assert.deepEqual(differences(live, declared), []);
  for (const unwell of [{ state: 'FAILED' }, { stateMessages: [{ severity: 'ERROR', type: 'X', message: 'no' }] }]) {
    const parts = differences({ ...live, ...unwell }, declared);
    assert.ok(['state', 'buildConfig', 'serviceConfig.timeoutSeconds'].every((part) => parts.includes(part)), parts.join(', '));
  }
});

test('a path cannot lead to another host, which would get the token', async () => {
  for (const path of ['@other.example/', '.other.example/', undefined]) {
    await assert.rejects(callApi({}, 'https://api.example', { path }), /The event of an HTTP function is/);
  }
});

test('a setting that is no longer declared is a difference', () => {
  const declared = { description: '', labels: {}, buildConfig: {}, serviceConfig: { environmentVariables: {} } };
  const live = { ...declared, state: 'ACTIVE', serviceConfig: { environmentVariables: { OLD: '1' } } };

  assert.deepEqual(differences(live, declared), ['serviceConfig.environmentVariables']);
});
