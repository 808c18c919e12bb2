'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { before, describe, test } = require('node:test');
const { OFFLINE, ROOT, makeProject, sls } = require('./project');

const PYTHON = path.join(ROOT, '.venv/bin/python');

/** Package a copy of the project. */
function packageProject({ argv = [], env = {}, umask = 0o022, mode = 0o644 } = {}) {
  const previous = process.umask(umask);
  try {
    const project = makeProject();
    for (const name of ['core/worker.py', 'handlers/api/__init__.py']) {
      fs.chmodSync(path.join(project, name), mode);
      fs.utimesSync(path.join(project, name), umask, umask);
    }
    const { status, stdout, stderr } = sls(project, ['package', '--cloud', 'aws', ...argv], env);
    assert.equal(status, 0, stdout + stderr);
    const built = path.join(project, '.serverless');
    const template = JSON.parse(fs.readFileSync(path.join(built, 'cloudformation-template-update-stack.json'), 'utf8'));
    return { zip: path.join(built, 'sluice.zip'), resources: template.Resources, told: stderr };
  } finally {
    process.umask(previous);
  }
}

/** [logical id, properties] of every resource of a type. */
function ofType(resources, type) {
  return Object.entries(resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([id, resource]) => [id, resource.Properties]);
}

/** Every policy statement, wherever it stands. */
function statements(value) {
  if (value === null || typeof value !== 'object') return [];
  return [...(Array.isArray(value.Statement) ? value.Statement : []), ...Object.values(value).flatMap(statements)];
}

/** Logical ids that a template part refers to. */
function references(value) {
  if (value === null || typeof value !== 'object') return [];
  const { Ref: ref, 'Fn::GetAtt': attribute } = value;
  return [...(ref ? [ref] : []), ...(attribute ? [attribute[0]] : []), ...Object.values(value).flatMap(references)];
}

describe('sls package', () => {
  let first;
  let second;

  before(() => {
    first = packageProject();
    // Another folder, user, time zone and language, younger files, another setting, and no network.
    const env = { TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8', ...OFFLINE };
    second = packageProject({ argv: ['--param', 'timeout_s=100'], env, umask: 0o077, mode: 0o600 });
  });

  test('makes the same bytes elsewhere, without a network', () => {
    const [one, other] = [first, second].map(({ zip }) => createHash('sha256').update(fs.readFileSync(zip)).digest('hex'));

    assert.equal(one, other);
  });

  test('packs the functions and what they import, and nothing else', () => {
    const listed = spawnSync(PYTHON, ['-m', 'zipfile', '-l', first.zip], { encoding: 'utf8' }).stdout;
    const names = listed.split('\n').slice(1, -1).map((line) => line.split(/ {2,}/)[0]);
    const folders = new Set(names.filter((name) => name.includes('/')).map((name) => name.split('/')[0]));

    assert.deepEqual([...folders].sort(), ['core', 'handlers', 'markupsafe', 'providers', 'puremagic', 'werkzeug']);
    assert.deepEqual(names.filter((name) => !name.includes('/')).sort(), ['.serverless-wsgi', 'serverless_wsgi.py', 'wsgi_handler.py']);
    assert.deepEqual(names.filter((name) => /__pycache__|(cli|invoke_local|package|secret)\.py|providers\/(?!aws|__init__)/.test(name)), []);
  });

  test('stays below two megabytes, and says how large it is', () => {
    const { size } = fs.statSync(first.zip);

    assert.ok(size < 2e6, `${size} bytes`);
    assert.ok(first.told.includes(`sluice.zip: ${size.toLocaleString('en')} bytes`), first.told);
  });

  test('packs everything that the functions import at the start', () => {
    const folder = path.join(path.dirname(first.zip), 'unpacked');
    spawnSync(PYTHON, ['-m', 'zipfile', '-e', first.zip, folder]);

    const code = 'import sys; sys.path.insert(0, "."); import handlers.aws, handlers.api, wsgi_handler';
    const isolated = ['-I', '-S', '-B']; // the standard library only
    const { status, stderr } = spawnSync(PYTHON, [...isolated, '-c', code], { cwd: folder, encoding: 'utf8' });

    assert.equal(status, 0, stderr);
    assert.equal(stderr, ''); // wsgi_handler only logs when it cannot import the app
  });

  test('hides a message for six times the timeout of the function', () => {
    for (const [{ resources }, timeout] of [[first, 60], [second, 100]]) {
      assert.equal(Number(resources.ProcessLambdaFunction.Properties.Timeout), timeout);
      assert.equal(resources.WorkQueue.Properties.VisibilityTimeout, 6 * timeout);
    }
  });

  test('gives every function a role of its own', () => {
    const functions = ofType(first.resources, 'AWS::Lambda::Function');
    const roles = functions.map(([, { Role }]) => JSON.stringify(Role));

    assert.equal(functions.length, 3);
    assert.equal(new Set(roles).size, functions.length);
  });

  test('allows nothing with a wildcard as action or resource, and no one but a service', () => {
    const allowed = statements(first.resources).filter(({ Effect }) => Effect === 'Allow');

    assert.ok(allowed.length > 8);
    for (const { Action, Resource, Principal } of allowed) {
      assert.ok([Action].flat().every((action) => !action.includes('*')), `action ${Action}`);
      assert.ok([Resource].flat().every((resource) => resource !== '*'), `resource of ${Action}`);
      assert.notEqual(Principal, '*', `principal of ${Action}`);
    }
  });

  test('lets only the bucket of this account send to the work queue', () => {
    const [, policy] = ofType(first.resources, 'AWS::SQS::QueuePolicy').find(([id]) => id === 'WorkQueuePolicy');
    const [allow] = statements(policy).filter(({ Effect }) => Effect === 'Allow');
    const { BucketName } = first.resources.UploadBucket.Properties;

    assert.deepEqual(allow.Condition.ArnEquals['aws:SourceArn'], { 'Fn::Sub': `arn:\${AWS::Partition}:s3:::${BucketName['Fn::Sub']}` });
    assert.deepEqual(allow.Condition.StringEquals, { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } });
  });

  test('keeps storage, queues and roles free of the functions, so that they can stand alone', () => {
    const { resources } = JSON.parse(sls(makeProject(), ['print', '--format', 'json']).stdout);
    const known = new Set([...Object.keys(resources.Resources), 'AWS::AccountId', 'AWS::Region', 'AWS::Partition']);

    assert.deepEqual(references(resources).filter((id) => !known.has(id)), []);
  });

  test("the deployer's policy speaks of the service of every resource, and of any resource only where AWS knows no other way", () => {
    const policy = JSON.parse(fs.readFileSync(path.join(ROOT, 'docs/examples/aws-deployer-policy.json'), 'utf8'));
    const services = new Set(policy.Statement.flatMap(({ Action }) => [Action].flat()).map((action) => action.split(':')[0]));
    const types = new Set(Object.values(first.resources).map(({ Type }) => Type.split('::')[1]));
    const spokenOf = { ApiGatewayV2: 'apigateway' };

    assert.deepEqual([...types].filter((type) => !services.has(spokenOf[type] ?? type.toLowerCase())), []);
    const open = policy.Statement.filter(({ Resource, Condition }) => Resource === '*' && !Condition).map(({ Sid }) => Sid);
    assert.deepEqual(open, ['OfNoResource']);
    assert.ok(!JSON.stringify(policy.Statement.map(({ Action }) => Action)).includes('*'));
  });
});
