'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { childArguments } = require('../lib/child-sls');
const { CloudsDeployment, checkParams, chooseClouds, gatherPeers, reasonOf, runForEach, tableOf } = require('../lib/clouds');
const { makePeerKeys, normalizePeerKeys } = require('../lib/peer-keys');

const KEYS = JSON.stringify({ current: 'k1', keys: { k1: 'ab'.repeat(32) } });
const OTHER_KEYS = JSON.stringify({ current: 'k1', keys: { k1: 'cd'.repeat(32) } });
const addressOf = (cloud) => ({ url: `https://${cloud}.example`, origins: [`https://files.${cloud}.example`] });

const refuse = (message) => {
  throw new Error(message);
};

/**
 * Clouds that answer `sls`. What was run is kept as "cloud: words", each deployment with what it was told.
 * @param {Record<string, {stands?: boolean, keys?: string, fails?: string[]}>} state  `fails`: words of commands that fail.
 */
function makeWorld(state) {
  const ran = [];
  const told = {};
  const secrets = [];
  const answer = (cloud, argv, input) => {
    const own = state[cloud];
    const words = argv.filter((each) => each !== '--param' && !each.includes('=')).join(' ');
    ran.push(`${cloud}: ${words}`);
    if (own.fails?.includes(words)) return { isDone: false, output: '', reason: `no ${words}` };
    if (words === 'address --json') return { isDone: true, output: JSON.stringify(own.stands ? addressOf(cloud) : null) };
    if (words === 'peer-keys') return { isDone: true, output: `${own.keys ?? '{}'}\n` };
    if (words === 'peer-keys --reference') return { isDone: true, output: `peer_keys=reference-of-${cloud}\n` };
    if (words === 'peer-keys --set') {
      secrets.push(...argv, input);
      own.keys = input;
    }
    if (words === 'deploy') own.stands = true;
    if (words.startsWith('deploy')) told[cloud] = argv.filter((each) => each.includes('='));
    return { isDone: true, output: '' };
  };
  const lines = [];
  const call = async (cloud, argv, { input } = {}) => answer(cloud, argv, input);
  return { state, ran, told, secrets, lines, call, tell: (line) => lines.push(line) };
}

const run = (world, more = {}) =>
  new CloudsDeployment({ clouds: Object.keys(world.state), call: world.call, tell: world.tell, makeKeys: () => KEYS, ...more }).run();

const results = (outcomes) => Object.fromEntries(outcomes.map(({ cloud, result }) => [cloud, result]));

/** What `cloud` should be told when `others` are there. */
const among = (cloud, order) => [
  `order=${order}`,
  `peers=${JSON.stringify(Object.fromEntries(order.split(',').filter((name) => name !== cloud).map((name) => [name, addressOf(name)])))}`,
  `peer_keys=reference-of-${cloud}`,
];

test('clouds that stand nowhere are deployed alone, and then again with what they must know of each other', async () => {
  const world = makeWorld({ aws: {}, gcp: {} });

  const outcomes = await run(world);

  assert.deepEqual(world.ran, [
    ...['aws: address --json', 'gcp: address --json'],
    ...['aws: deploy', 'aws: address --json', 'gcp: deploy', 'gcp: address --json'],
    ...['aws: peer-keys', 'gcp: peer-keys'],
    ...['aws: peer-keys --set', 'aws: peer-keys --reference', 'gcp: peer-keys --set', 'gcp: peer-keys --reference'],
    ...['aws: deploy', 'gcp: deploy'],
  ]);
  assert.deepEqual(world.told, { aws: among('aws', 'aws,gcp'), gcp: among('gcp', 'aws,gcp') });
  assert.deepEqual(results(outcomes), { aws: 'deployed', gcp: 'deployed' });
});

test('clouds that all stand are deployed once', async () => {
  const world = makeWorld({ aws: { stands: true, keys: KEYS }, gcp: { stands: true, keys: KEYS } });

  await run(world);

  assert.deepEqual(world.ran.filter((line) => /deploy|set/.test(line)), ['aws: deploy', 'gcp: deploy']);
});

test('a new cloud gets the keys of those that have some, and the order is as asked', async () => {
  const world = makeWorld({ azure: {}, aws: { stands: true, keys: OTHER_KEYS }, gcp: { stands: true, keys: OTHER_KEYS } });

  await run(world);

  assert.equal(world.state.azure.keys, OTHER_KEYS);
  assert.deepEqual(world.ran.filter((line) => line.includes('--set')), ['azure: peer-keys --set']);
  assert.deepEqual(world.told.gcp, among('gcp', 'azure,aws,gcp'));
});

test('keys are no arguments: they go through standard input', async () => {
  const world = makeWorld({ aws: {}, gcp: {} });

  await run(world);

  assert.deepEqual(world.secrets, ['peer-keys', '--set', KEYS, 'peer-keys', '--set', KEYS]);
  assert.ok(!world.lines.join().includes('ab'.repeat(32)));
});

test('one cloud alone is told of no others', async () => {
  const world = makeWorld({ gcp: {} });

  await run(world);

  assert.deepEqual(world.ran, ['gcp: deploy']);
  assert.deepEqual(world.told.gcp, []);
});

test('a cloud that fails and was never deployed is left out of the peers, and said', async () => {
  const world = makeWorld({ aws: {}, gcp: { fails: ['deploy'] }, azure: {} });

  const outcomes = await run(world);

  assert.deepEqual(results(outcomes), { aws: 'deployed', gcp: 'failed', azure: 'deployed' });
  assert.deepEqual(world.told.aws, among('aws', 'aws,azure'));
  assert.ok(world.lines.some((line) => line.includes('told nothing of gcp: it was never deployed')));
});

test('a cloud that stands and fails stays a peer of the others', async () => {
  const world = makeWorld({ aws: { stands: true }, gcp: { stands: true, fails: ['deploy'] }, azure: { stands: true } });

  const outcomes = await run(world);

  assert.deepEqual(results(outcomes), { aws: 'deployed', gcp: 'failed', azure: 'deployed' });
  assert.deepEqual(world.told.azure, among('azure', 'aws,gcp,azure'));
});

test('while a cloud cannot be asked where it is, no cloud loses it as a peer', async () => {
  const world = makeWorld({ aws: { stands: true }, gcp: { fails: ['address --json'] }, azure: {} });

  const outcomes = await run(world);

  assert.deepEqual(results(outcomes), { aws: 'skipped', gcp: 'failed', azure: 'skipped' });
  assert.deepEqual(world.ran.filter((line) => line.endsWith('deploy')), ['azure: deploy']);
  assert.match(outcomes[0].reason, /gcp cannot be asked where it is; without it: --only aws,azure/);
  assert.match(outcomes[2].reason, /^it stands, without the others: /);
});

test('different keys are nobody’s to choose from', async () => {
  const world = makeWorld({ aws: { stands: true, keys: KEYS }, gcp: { stands: true, keys: OTHER_KEYS } });

  const outcomes = await run(world);

  assert.deepEqual(results(outcomes), { aws: 'skipped', gcp: 'skipped' });
  assert.match(outcomes[1].reason, /peer-keys --cloud aws \| npx sls peer-keys --set --cloud gcp/);
});

test('no keys are made while a cloud that may have some cannot be asked', async () => {
  const world = makeWorld({ aws: { stands: true }, gcp: { stands: true, fails: ['peer-keys'] } });

  const outcomes = await run(world);

  assert.deepEqual(results(outcomes), { aws: 'skipped', gcp: 'failed' });
  assert.equal(world.state.aws.keys, undefined);
});

test('a cloud that cannot be given the keys is not deployed, and the others are', async () => {
  const world = makeWorld({ aws: { stands: true, keys: KEYS }, gcp: { stands: true, fails: ['peer-keys --set'] } });

  const outcomes = await run(world);

  assert.deepEqual(results(outcomes), { aws: 'deployed', gcp: 'failed' });
  assert.deepEqual(Object.keys(world.told), ['aws']);
});

test('a plan deploys nothing and stores nothing', async () => {
  const world = makeWorld({ aws: { stands: true }, gcp: {}, azure: { stands: true } });

  const outcomes = await run(world, { isPlan: true });

  assert.deepEqual(world.ran.filter((line) => /deploy$|--set/.test(line)), []);
  assert.deepEqual(results(outcomes), { aws: 'planned', gcp: 'planned', azure: 'planned' });
  assert.ok(world.lines.some((line) => line.includes('told nothing of gcp: its address is known once it is deployed')));
});

test('a command for each goes on past a failure', async () => {
  const world = makeWorld({ aws: { fails: ['info'] }, gcp: {} });

  const outcomes = await runForEach({ clouds: ['aws', 'gcp'], argv: ['info'], call: world.call, tell: world.tell, result: 'told' });

  assert.deepEqual(world.ran, ['aws: info', 'gcp: info']);
  assert.equal(tableOf(outcomes), 'cloud  result    reason\naws    failed    no info\ngcp    told');
});

test('a peers file has the clouds that stand, and their keys; a cloud that cannot be asked is no reason to leave it out', async () => {
  const world = makeWorld({ gcp: {}, azure: { stands: true }, aws: { stands: true, keys: KEYS } });
  const gather = (clouds) => gatherPeers({ clouds, call: world.call, refuse });

  assert.deepEqual(await gather(['gcp', 'azure', 'aws']), { peers: { azure: addressOf('azure'), aws: addressOf('aws') }, keys: JSON.parse(KEYS) });
  await assert.rejects(gather(['gcp', 'azure']), /No cloud that is deployed holds peer keys/);
  world.state.gcp.fails = ['address --json'];
  await assert.rejects(gather(['gcp', 'aws']), /^Error: gcp: no address --json$/);
});

test('the clouds are those of --only in its order, or all by preference', () => {
  const known = ['aws', 'azure', 'gcp', 'other'];

  assert.deepEqual(chooseClouds(undefined, known, refuse), ['aws', 'gcp', 'azure', 'other']);
  assert.deepEqual(chooseClouds('gcp, aws', known, refuse), ['gcp', 'aws']);
  assert.throws(() => chooseClouds('gcp,ibm', known, refuse), /^Error: Unknown cloud "ibm". Possible: aws, azure, gcp, other\.$/);
  assert.throws(() => chooseClouds('gcp,gcp', known, refuse), /twice/);
});

test('what the clouds are told of each other cannot be given by hand', () => {
  for (const param of ['peers={}', 'order=a', 'cloud=aws', 'peer_keys=x']) assert.throws(() => checkParams({ param: [param] }, refuse), /itself/);
  assert.throws(() => checkParams({ region: 'x' }, refuse), /AWS_REGION/);
  checkParams({ param: ['copies=2'] }, refuse);
});

test('a child gets the command, its cloud, the stage and the parameters; the profile is for AWS alone', () => {
  const options = { stage: 'prod', param: ['copies=2'], 'aws-profile': 'p', only: 'aws,gcp' };
  const rest = ['--stage=prod', '--param', 'copies=2'];

  assert.deepEqual(childArguments('gcp', ['deploy', '--plan'], options), ['deploy', '--plan', '--cloud', 'gcp', ...rest]);
  assert.deepEqual(childArguments('aws', ['info'], options), ['info', '--cloud', 'aws', '--stage=prod', '--aws-profile=p', '--param', 'copies=2']);
});

test('a reason is what stands after Error, in a line, and shows no key', () => {
  const cases = [
    ['Packaging\n\nError:\nThe bucket is\nnot empty.\n\nEnvironment: linux\n', 'The bucket is not empty.'],
    ['Error: one line\n', 'one line'],
    ['Error:\nTypeError: no function\n    at f (/a.js:1:1)\n', 'no function'],
    ['Error:\nfirst\n\nError:\nsecond\n', 'second'],
    ['last words\n\n', 'last words'],
    ['', 'it says nothing'],
    [`Error: ${'ab'.repeat(32)} is no key`, '… is no key'],
  ];

  for (const [printed, reason] of cases) assert.equal(reasonOf(printed), reason);
});

test('new keys are ones that a cloud takes, and each is another', () => {
  const [one, other] = [makePeerKeys(), makePeerKeys()];

  assert.equal(normalizePeerKeys(one), one);
  assert.notEqual(one, other);
});

test('keys are taken in any spelling, and nothing else is', () => {
  const upper = { keys: { b: 'AB'.repeat(32), a: 'cd'.repeat(40) }, current: 'b' };
  const wrong = ['', 'null', '[]', '{}', '{"keys": {"k1": "ab"}, "current": "k1"}', KEYS.replace('"k1",', '"k2",'), KEYS.replace('ab', 'g')];

  assert.equal(normalizePeerKeys(JSON.stringify(upper)), JSON.stringify({ current: 'b', keys: { a: 'cd'.repeat(40), b: 'ab'.repeat(32) } }));
  for (const text of [...wrong, ' '.repeat(20_000) + KEYS]) assert.equal(normalizePeerKeys(text), '', text);
});
