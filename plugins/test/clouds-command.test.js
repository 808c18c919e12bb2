'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { ROOT, makeProject, sls } = require('./project');

/** A provider whose cloud is a file: what is deployed, and a secret store. A cloud whose file says so fails. */
const PLUGIN = `
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { makeProviderPlugin } = require('../lib/provider-plugin');

const schema = { provider: { properties: { environment: { type: 'object' } } }, function: { properties: {} } };

function makeDeployment({ classes, service, serviceDir }) {
  const { cloud } = service.custom;
  const file = path.join(serviceDir, cloud + '.json');
  const read = () => (fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : {});
  const write = (more) => fs.writeFileSync(file, JSON.stringify({ ...read(), ...more }));
  const create = async () => {
    if (read().isBroken) throw new classes.Error('The quota is used up.', 'FAKE');
    write({ environment: service.provider.environment });
  };
  const live = async () => read().environment ?? null;
  const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const differences = (found) => (isSame(found, service.provider.environment) ? [] : ['environment']);
  const remove = async () => fs.rmSync(file);
  return {
    resourcesOfFunction: async () => [],
    resources: async () => [{ title: 'functions of ' + cloud, read: live, create, differences, update: create, remove }],
    info: async () => [['url', 'https://' + cloud + '.example']],
    address: async () => ((await live()) ? { url: 'https://' + cloud + '.example', origins: [] } : null),
    order: async () => (await live())?.SLUICE_ORDER ?? '',
    readSecret: async (name) => read()[name] ?? '',
    writeSecret: async (name, value) => write({ [name]: value }),
  };
}

const Provider = makeProviderPlugin({ name: 'fake', title: 'Fake', schema, packageSettings: () => ({}), makeDeployment });
module.exports = class Fake extends Provider {
  async package() {
    const folder = path.join(this.serverless.serviceDir, '.serverless');
    fs.mkdirSync(folder, { recursive: true });
    this.serverless.service.package.artifact = path.join(folder, 'sluice.zip');
    fs.writeFileSync(this.serverless.service.package.artifact, '');
  }
};
`;

const CONFIGURATION = `
plugins: [./plugins/sluice, ./plugins/clouds, ./plugins/fake]
params: { default: { peers: '', order: '', alone: false, peer_keys_secret: '' } }
provider:
  name: fake
  stage: \${opt:stage, 'dev'}
  environment: { SLUICE_PEERS: '\${param:peers}', SLUICE_ORDER: '\${param:order}', KEYS: '\${param:peer_keys_secret}' }
functions: {}
`;

/** A project with two clouds of that kind beside the real ones. */
function makeClouds() {
  const project = makeProject();
  for (const folder of ['plugins/fake', 'providers/one', 'providers/two']) fs.mkdirSync(path.join(project, folder));
  fs.writeFileSync(path.join(project, 'plugins/fake/index.js'), PLUGIN);
  for (const cloud of ['one', 'two']) fs.writeFileSync(path.join(project, `providers/${cloud}/serverless.yml`), CONFIGURATION);
  return project;
}

const stateOf = (project, cloud) => JSON.parse(fs.readFileSync(path.join(project, `${cloud}.json`), 'utf8'));
/** The environment of a cloud with one other, by which both hold these keys. */
const among = (other, KEYS) => {
  const SLUICE_PEERS = JSON.stringify({ [other]: { url: `https://${other}.example`, origins: [] } });
  return { SLUICE_PEERS, SLUICE_ORDER: 'one,two', KEYS };
};
const clouds = (project, ...argv) => sls(project, ['clouds', ...argv, '--only', 'one,two']);

describe('sls clouds', () => {
  const project = makeClouds();

  test('deploy: a cloud that fails stops no other, is told with its reason, and is left out of the peers', () => {
    fs.writeFileSync(path.join(project, 'two.json'), '{"isBroken": true}');

    const { status, stdout } = clouds(project, 'deploy');

    assert.equal(status, 1);
    assert.match(stdout, /cloud {2}result {4}reason\none {4}deployed\ntwo {4}failed {4}The quota is used up\./);
    assert.deepEqual(stateOf(project, 'one').environment, { SLUICE_PEERS: '', SLUICE_ORDER: '', KEYS: '' });
  });

  test('deploy again: once it is mended, both know each other and hold the same keys, which nobody printed', () => {
    fs.writeFileSync(path.join(project, 'two.json'), '{}');

    const { status, stdout, stderr } = clouds(project, 'deploy');

    assert.equal(status, 0, stdout + stderr);
    const [one, two] = ['one', 'two'].map((cloud) => stateOf(project, cloud));
    const keys = 'sluice-dev-peer-keys';
    assert.deepEqual([one.environment, two.environment], [among('two', keys), among('one', keys)]);
    assert.equal(one[keys], two[keys]);
    assert.ok(!(stdout + stderr).includes(JSON.parse(one[keys]).keys.k1));
  });

  test('what would cut a cloud off is refused, by whichever command, and changes nothing; a plan warns', () => {
    const before = stateOf(project, 'one');
    const together = 'npx sls clouds deploy --only one,two --stage dev';
    const line = `one would be cut off from two, because "peers" is empty. Together: ${together}. On purpose: --param alone=true.`;

    const plain = sls(project, ['deploy', '--cloud', 'one']);
    const ofFunction = sls(project, ['deploy', 'function', '-f', 'any', '--cloud', 'one']);
    const alone = sls(project, ['clouds', 'deploy', '--only', 'one']);
    const planned = sls(project, ['deploy', '--plan', '--cloud', 'one']);

    assert.deepEqual([plain.status, ofFunction.status, alone.status, planned.status], [1, 1, 1, 0], planned.stdout);
    for (const { stdout } of [plain, ofFunction]) assert.ok(stdout.includes(`Error:\n${line}\n`), stdout);
    assert.ok(alone.stdout.includes(`one    failed    ${line}`), alone.stdout);
    assert.equal(planned.stdout.trim(), `would update functions of one: environment\nwarning: ${line}`);
    assert.deepEqual(stateOf(project, 'one'), before);
  });

  test('on purpose a cloud goes alone, and from then on is deployed without a word', () => {
    const alone = sls(project, ['clouds', 'deploy', '--only', 'one', '--param', 'alone=true']);
    const again = sls(project, ['deploy', '--cloud', 'one']);

    assert.deepEqual([alone.status, again.status], [0, 0], alone.stdout + again.stdout);
    assert.equal(stateOf(project, 'one').environment.SLUICE_PEERS, '');
  });

  test('peers: the file is what operators’ commands read, and nobody else may', () => {
    const { status, stdout, stderr } = clouds(project, 'peers', '--to', 'peers.json');

    assert.equal(status, 0, stdout);
    assert.equal(fs.statSync(path.join(project, 'peers.json')).mode & 0o777, 0o600);
    assert.ok(!(stdout + stderr).includes(JSON.parse(stateOf(project, 'one')['sluice-dev-peer-keys']).keys.k1));
    const code = `
import sys
from pathlib import Path
from handlers.failover.clouds import find_clouds
known = find_clouds({}, path=sys.argv[1], default=Path("none"))
print(dict(known.urls), known.keys.current)
`;
    const read = spawnSync(path.join(ROOT, '.venv/bin/python'), ['-c', code, path.join(project, 'peers.json')], { cwd: ROOT, encoding: 'utf8' });
    assert.equal(read.stdout, "{'one': 'https://one.example', 'two': 'https://two.example'} k1\n", read.stderr);
  });

  test('remove: it asks, unless --yes; then nothing is left', () => {
    const asked = clouds(project, 'remove');
    const removed = clouds(project, 'remove', '--yes');

    assert.equal(asked.status, 1);
    assert.match(asked.stdout, /no terminal to ask at: --yes/);
    assert.match(removed.stdout, /one {4}removed\ntwo {4}removed/);
    assert.deepEqual(['one', 'two'].filter((cloud) => fs.existsSync(path.join(project, `${cloud}.json`))), []);
  });
});
