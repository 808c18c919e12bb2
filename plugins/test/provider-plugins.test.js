'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { invokeArguments, localSettings } = require('../lib/invoke-local');
const { makeProject, sls } = require('./project');

/** Replace lines of a cloud's serverless.yml in a copy of the project. */
function misconfigured(cloud, replacements) {
  const project = makeProject();
  const file = path.join(project, `providers/${cloud}/serverless.yml`);
  let text = fs.readFileSync(file, 'utf8');
  for (const [line, mistaken] of replacements) {
    assert.ok(text.includes(line), `${file} has no "${line}"`);
    text = text.replace(line, mistaken);
  }
  fs.writeFileSync(file, text);
  return project;
}

const MISTAKES = {
  gcp: [
    ['runtime: python313', 'runtime: python27', /'provider\.runtime': must be equal to one of the allowed values \[python313\]/],
    ['stage: ${', 'regoin: x\n  stage: ${', /'provider': unrecognized property 'regoin'/],
    ["'europe-west1'}", "'Europe'}", /'provider\.region': value 'Europe' does not satisfy pattern/],
    ['timeout_s: ${param:timeout_s}', 'timeout_s: 541', /'functions\.process\.timeout_s': must be <= 540/],
    ['handlers/gcp.process', 'handlers/gcp.proces', /'functions\.process\.handler': .*\[handlers\/gcp\.process, handlers\/api\.app, handlers\/gcp\.watch\]/],
    ['pubsub: { topic: work,', 'pubsub: { topic: x,', /'functions\.process\.events\.0\.pubsub\.topic': value 'x' does not satisfy/],
    ["'${param:max_receive_count}' }", '101 }', /'functions\.process\.events\.0\.pubsub\.max_delivery_count': must be <= 100/],
    ['project: ${param:project}', 'project: My_Project', /'provider\.project': value 'My_Project' does not satisfy pattern/],
    ['data_deletion_policy: ${param', 'data_deletion_policy: Keep # ${param', /'provider\.data_deletion_policy': .*\[Retain, Delete\]/],
    ['access: public', 'access: open', /'functions\.api\.events\.0\.http\.access': .*\[private, public\]/],
    ["cron: '* * * * *'", "cron: 'hourly'", /'functions\.watch\.events\.0\.schedule\.cron': value 'hourly' does not satisfy/],
  ],
  azure: [
    ['runtime: python3.13', 'runtime: python3.8', /'provider\.runtime': must be equal to one of the allowed values \[python3\.13\]/],
    ['memory_mib: ${param:memory_mib}', 'memory_mib: 300', /'provider\.memory_mib': value '300' does not satisfy .*512\|2048\|4096/],
    ['timeout_s: ${param:timeout_s}', 'timeout_s: soon', /'provider\.timeout_s': must be integer/],
    ['name: work,', 'nme: work,', /'functions\.process\.events\.0\.queue': must have required property 'name'/],
    ["batch_count: '${param:batch_count}' }", 'batch_count: 33 }', /'functions\.process\.events\.0\.queue\.batch_count': must be <= 32/],
    ["schedule: '0 * * * * *'", "schedule: '0 0 * * * *'", /'functions\.watch\.events\.0\.timer\.schedule': .*\[0 \* \* \* \* \*\]/],
    ["${env:AZURE_SUBSCRIPTION_ID, ''}", 'mine', /'provider\.subscription': value 'mine' does not satisfy pattern/],
    ['${param:peer_keys_secret}', 'a_b', /'provider\.secrets\.SLUICE_PEER_KEYS': value 'a_b' does not satisfy pattern/],
    ['log_days: ${param:log_days}', 'log_days: 7', /'provider\.log_days': must be >= 30/],
    ['data_deletion_policy: ${param:data_deletion_policy}', 'data_deletion_policy: Keep', /'provider\.data_deletion_policy': .*\[Retain, Delete\]/],
    ['- http: {', '- htp: {', /'functions\.api\.events\.0': unsupported function event/],
  ],
};

for (const [cloud, mistakes] of Object.entries(MISTAKES)) {
  test(`${cloud}: each mistake in serverless.yml is told with its place and what may stand there`, () => {
    const { status, stdout } = sls(misconfigured(cloud, mistakes), ['package', '--cloud', cloud]);

    assert.equal(status, 1);
    for (const [, , message] of mistakes) assert.match(stdout, message);
  });
}

test('gcp: a command that it does not have is refused before anything is done', () => {
  const project = makeProject();

  const { status, stdout } = sls(project, ['metrics', '--cloud', 'gcp']);

  assert.equal(status, 1);
  assert.match(stdout, /"sls metrics" does not exist for Google Cloud: deploy, deploy function, info, invoke, logs, remove, rollback\.\n/);
  assert.ok(!fs.existsSync(path.join(project, '.serverless')));
});

test('gcp: what the schema cannot express is told before anything is asked', () => {
  const noProject = sls(makeProject(), ['info', '--cloud', 'gcp']);
  const swapped = [['handler: handlers/gcp.watch', 'handler: handlers/gcp.process']];
  const twoWorkers = sls(misconfigured('gcp', swapped), ['info', '--cloud', 'gcp'], { GOOGLE_CLOUD_PROJECT: 'my-project' });

  assert.match(noProject.stdout, /^Error:\n'provider\.project' is empty: set GOOGLE_CLOUD_PROJECT to the project's id, or/);
  assert.match(twoWorkers.stdout, /^Error:\n'functions\.watch\.events': handlers\/gcp\.process needs exactly one event, pubsub; it has: schedule\./);
});

test('the arguments for Python name handler, trigger and event', () => {
  const declared = { handler: 'handlers/gcp.process', events: [{ pubsub: { topic: 'work' } }] };
  const refuse = (message) => {
    throw new Error(message);
  };

  assert.deepEqual(invokeArguments(declared, { function: 'process', data: '' }, refuse), [
    ...['-m', 'handlers.invoke_local', '--handler=handlers/gcp.process', '--trigger=pubsub', '--data='],
  ]);
  assert.throws(() => invokeArguments(declared, { docker: true, raw: true }, refuse), /^Error: --raw, --docker: for --cloud aws only\.$/);
  assert.throws(() => invokeArguments(declared, { path: 'x', data: '{}' }, refuse), /not both/);
  assert.throws(() => invokeArguments({ ...declared, events: [] }, {}, refuse), /exactly one event.* has 0/);
});

test('a value of --env stands above the shell, and the shell above what is declared', () => {
  const [declared, ofFunction, shell] = [{ A: 1, B: 1, C: 1, D: 1 }, { B: 2, C: 2, D: 2 }, { C: '3', D: '3' }];

  assert.deepEqual(localSettings(declared, ofFunction, shell, ['D=4=4', 'E=']), { A: 1, B: 2, C: '3', D: '4=4', E: '' });
});

const SHOWING = `
import json, os
def process(event, context=None):
    print(json.dumps({"event": event if isinstance(event, dict) else event.get_data(), "env": dict(os.environ)}))
    if os.environ.get("FAIL"):
        raise RuntimeError("as told")
`;
const PUSH = { message: { data: 'eA==', messageId: '7' }, subscription: 'projects/p/subscriptions/s' };

test('gcp: the functions framework makes a CloudEvent of a push and answers OK', () => {
  const project = makeProject({ 'handlers/gcp.py': SHOWING });
  const real = { GOOGLE_APPLICATION_CREDENTIALS: 'real', SLUICE_LOCAL_DIR: '' };

  const called = sls(project, ['invoke', 'local', '--cloud', 'gcp', '-f', 'process', '-d', JSON.stringify(PUSH)], real);

  assert.equal(called.status, 0, called.stderr);
  const [shown, answer] = called.stdout.trim().split('\n');
  const { event, env } = JSON.parse(shown);
  assert.equal(event.message.data, 'eA==');
  assert.equal(event.message.messageId, '7');
  assert.equal(answer, 'OK');
  assert.equal(env.SLUICE_TIMEOUT_S, '60');
  assert.equal(env.SLUICE_CLOUD, 'gcp');
  assert.ok(!Object.values(env).includes('real'), 'a real credential reached the function');
});

test('azure: nothing is answered, and the event may come from a file', () => {
  const project = makeProject({ 'handlers/azure.py': SHOWING, 'event.json': '{"a": "ü"}' });

  const { status, stdout, stderr } = sls(project, ['invoke', 'local', '--cloud', 'azure', '-f', 'process', '--path', 'event.json']);

  assert.equal(status, 0, stderr);
  const { event, env } = JSON.parse(stdout);
  assert.deepEqual(event, { a: 'ü' });
  assert.equal(env.PYTHON_THREADPOOL_THREAD_COUNT, '20');
});

test('azure: the timer calls its function without an event of note', () => {
  const env = { SLUICE_TIMEOUT_S: '10' }; // of the app, in which `watch` has no time for looks

  const { status, stdout, stderr } = sls(makeProject(), ['invoke', 'local', '--cloud', 'azure', '-f', 'watch', '-d', '{}'], env);

  assert.deepEqual([status, stdout], [0, ''], stderr);
});

for (const cloud of ['gcp', 'azure']) {
  test(`${cloud}: a function that raises shows it, and fails`, () => {
    const project = makeProject({ [`handlers/${cloud}.py`]: SHOWING });
    const argv = ['invoke', 'local', '--cloud', cloud, '-f', 'process', '-d', JSON.stringify(PUSH), '--env', 'FAIL=1'];

    const { status, stdout, stderr } = sls(project, argv);

    assert.equal(status, 1);
    assert.match(stderr, /RuntimeError: as told\n$/);
    assert.doesNotMatch(stdout, /OK/);
  });

  test(`${cloud}: an event that cannot be used is told in one line`, () => {
    const cases = [
      [['-d', '{'], 'Error: the event is no JSON: '],
      [['-d', '[]'], 'Error: the event is no JSON object\n'],
      [['--path', 'no/such'], 'Error: cannot read no/such: No such file or directory\n'],
    ];
    const project = makeProject();

    for (const [argv, says] of cases) {
      const { status, stdout, stderr } = sls(project, ['invoke', 'local', '--cloud', cloud, '-f', 'process', ...argv]);

      assert.deepEqual([status, stdout], [1, '']);
      assert.ok(stderr.startsWith(says) && stderr.trim().split('\n').length === 1, stderr);
    }
  });

  test(`${cloud}: the API answers with status, headers and body`, () => {
    const argv = ['invoke', 'local', '--cloud', cloud, '-f', 'api', '-d'];
    const project = makeProject();

    const health = sls(project, [...argv, '{"path": "/v1/health"}']);
    const refused = sls(project, [...argv, '{"path": "/v1/health", "method": "POST", "headers": {"X": "y"}, "body": "z"}']);

    assert.match(health.stdout, new RegExp(`^200 OK\n(.+\n)+\n\\{"status": "ok", "cloud": "${cloud}", "failed": \\[\\], .*\\}\n$`));
    assert.match(refused.stdout, /^405 METHOD NOT ALLOWED\n/);
  });
}

test('gcp: what a schedule calls answers how often it looked: a cloud alone looks at nobody', () => {
  const { status, stdout, stderr } = sls(makeProject(), ['invoke', 'local', '--cloud', 'gcp', '-f', 'watch', '-d', '{}']);

  assert.deepEqual([status, stdout], [0, '{"look_count": 0}\n'], stderr);
});

test('gcp: a push that the framework does not understand is refused with what a push has', () => {
  const argv = ['invoke', 'local', '--cloud', 'gcp', '-f', 'process', '-d', '{"message": {"data": "eA=="}}'];

  const { status, stderr } = sls(makeProject(), argv);

  assert.equal(status, 1);
  assert.match(stderr, /^Error: the functions framework refuses the event \(400 BAD REQUEST\); a push has "subscription"/);
});
