'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, test } = require('node:test');
const { chooseCloud, listClouds, checkCloud } = require('../lib/cloud');
const { makeProject, sls } = require('./project');

test('the command line chooses the cloud in every form, before $CLOUD, before aws', () => {
  const cases = [
    [['deploy', '--cloud', 'gcp'], {}, 'gcp'],
    [['deploy', '--cloud=gcp'], { CLOUD: 'azure' }, 'gcp'],
    [['deploy', '--param', 'cloud=gcp'], {}, 'gcp'],
    [['deploy', '--param=cloud=gcp'], {}, 'gcp'],
    [['deploy', '--param', 'timeout_s=3', '--param=cloud=gcp'], {}, 'gcp'],
    [['put', 'cloud=gcp'], {}, 'aws'],
    [['local', 'up', '--cloud', 'aws,gcp'], { CLOUD: 'gcp,azure' }, 'aws'],
    [['deploy'], { CLOUD: 'azure' }, 'azure'],
    [['deploy'], { CLOUD: '' }, 'aws'],
  ];

  for (const [argv, env, expected] of cases) assert.equal(chooseCloud(argv, env), expected, argv.join(' '));
});

test('a cloud is a folder of providers/ with a serverless.yml', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-providers-'));
  after(() => fs.rmSync(folder, { recursive: true }));
  for (const name of ['gcp', 'aws', 'unfinished']) fs.mkdirSync(path.join(folder, name));
  for (const name of ['gcp', 'aws']) fs.writeFileSync(path.join(folder, name, 'serverless.yml'), '');

  assert.deepEqual(listClouds(folder), ['aws', 'gcp']);
});

test('an unknown cloud is refused in one line that names the possible ones', () => {
  assert.throws(() => checkCloud('nope', ['aws', 'gcp']), { stack: 'Unknown cloud "nope". Possible: aws, gcp.' });
});

test('sls shows that line, and no stack', () => {
  const { status, stdout } = sls(makeProject(), ['print', '--cloud', 'nope']);

  assert.equal(status, 1);
  assert.match(stdout, /Unknown cloud "nope"\. Possible: aws, azure, gcp\.\n/);
  assert.doesNotMatch(stdout, /^ +at /m);
});
