'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { withoutReferences } = require('../lib/local-run');
const { makeProject, sls } = require('./project');

const SHOW_ENVIRONMENT = `
import os, sys
def process(event, context):
    return {"event": event, "prefix": sys.prefix, "env": dict(os.environ)}
`;

test('references to a deployed stack are dropped, values stay', () => {
  assert.deepEqual(withoutReferences({ A: 'a', B: { Ref: 'Bucket' } }), { A: 'a' });
  assert.deepEqual(withoutReferences(undefined), {});
});

test('invoke local needs no cloud and no credentials, and cannot use any', () => {
  const project = makeProject({ 'handlers/aws.py': SHOW_ENVIRONMENT });
  const profile = { AWS_PROFILE: 'real', AWS_SESSION_TOKEN: 'real', AWS_ACCESS_KEY_ID: 'real' };

  const { status, stdout } = sls(project, ['invoke', 'local', '-f', 'process', '-d', '{"a": 1}', '--cloud', 'aws'], profile);

  assert.equal(status, 0, stdout);
  const { event, env, prefix } = JSON.parse(stdout);
  const here = fs.realpathSync(project);
  assert.deepEqual(event, { a: 1 });
  assert.equal(prefix, `${here}/.venv`);
  assert.equal(env.SLUICE_CLOUD, 'aws');
  assert.equal(env.SLUICE_LOCAL_DIR, `${here}/.sluice`);
  assert.equal(env.SLUICE_ATTEMPT_COUNT, '5');
  assert.equal(env.SLUICE_BUCKET, undefined);
  assert.ok(!Object.values(env).includes('real'), 'a real credential reached the function');
});
