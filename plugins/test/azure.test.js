'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { differingPaths } = require('../azure/arm-resource');
const { messageBodies } = require('../azure/calls');
const { guidOf, namesOf } = require('../azure/names');
const { environmentOf } = require('../azure/site');

const SUBSCRIPTION = '5ab5c71b-0000-4000-8000-00000000d6a0';

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
