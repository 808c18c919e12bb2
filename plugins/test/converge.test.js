'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { converge, describe, plan, removeAll } = require('../lib/converge');

/** A cloud of numbers by name, and a declaration of it as resources. */
function makeWorld(live, declared, { kept = {}, fails = '' } = {}) {
  const done = [];
  const act = (verb, name, change) => async () => {
    if (fails === `${verb} ${name}`) throw new Error('quota');
    done.push(`${verb} ${name}`);
    change();
  };
  const resources = Object.entries(declared).map(([name, value]) => ({
    title: `number ${name}`,
    read: async () => (name in live ? { value: live[name] } : null),
    differences: (found) => (found.value === value ? [] : ['value']),
    create: act('create', name, () => (live[name] = value)),
    update: act('update', name, () => (live[name] = value)),
    remove: act('remove', name, () => delete live[name]),
    whyKept: async () => kept[name] ?? '',
  }));
  return { live, done, resources };
}

const silent = () => undefined;
const refuse = (message) => {
  throw new Error(message);
};

test('what is missing is created, what differs is updated, and the rest is left alone', async () => {
  const { live, done, resources } = makeWorld({ b: 1, c: 3 }, { a: 1, b: 2, c: 3 });

  const changedCount = await converge(resources, silent);

  assert.deepEqual(done, ['create a', 'update b']);
  assert.equal(changedCount, 2);
  assert.deepEqual(live, { a: 1, b: 2, c: 3 });
});

test('a second run changes nothing', async () => {
  const { done, resources } = makeWorld({}, { a: 1, b: 2 });
  await converge(resources, silent);
  done.length = 0;

  assert.equal(await converge(resources, silent), 0);
  assert.deepEqual(done, []);
});

test('a run that broke off is finished by the next one', async () => {
  const live = {};
  await assert.rejects(converge(makeWorld(live, { a: 1, b: 2, c: 3 }, { fails: 'create b' }).resources, silent), /quota/);
  const { done, resources } = makeWorld(live, { a: 1, b: 2, c: 3 });

  await converge(resources, silent);

  assert.deepEqual(done, ['create b', 'create c']);
});

test('a plan says what would be done, and does nothing', async () => {
  const { done, resources } = makeWorld({ b: 1, c: 3 }, { a: 1, b: 2, c: 3 });

  const steps = await plan(resources);

  assert.deepEqual(steps.map(describe), ['would create number a', 'would update number b: value', 'would keep number c']);
  assert.deepEqual(done, []);
});

test('removal goes backwards over what stands', async () => {
  const { live, done, resources } = makeWorld({ a: 1, c: 3 }, { a: 1, b: 2, c: 3 });

  const removedCount = await removeAll(resources, { force: false, tell: silent, refuse });

  assert.deepEqual(done, ['remove c', 'remove a']);
  assert.equal(removedCount, 2);
  assert.deepEqual(live, {});
});

test('if one must be kept nothing is removed, unless it is forced', async () => {
  const { done, resources } = makeWorld({ a: 1, b: 2 }, { a: 1, b: 2 }, { kept: { a: 'it holds files' } });

  await assert.rejects(
    removeAll(resources, { force: false, tell: silent, refuse }),
    /Nothing was removed\. number a: it holds files\. With --force/,
  );
  assert.deepEqual(done, []);
  assert.equal(await removeAll(resources, { force: true, tell: silent, refuse }), 2);
});
