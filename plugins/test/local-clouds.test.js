'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { localCloudsArguments } = require('../lib/local-clouds');
const { ROOT, makeProject, replacePython, sls } = require('./project');

/** Shows each signal that comes, at most two, and ends with status 7. */
const WAITING = `
import signal, sys
asked = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, asked)
print("ready", flush=True)
first, second = signal.sigwait(asked), signal.sigtimedwait(asked, 0.3)
print(first.name, second and second.si_signo)
sys.exit(7)
`;

test('the clouds are checked and handed on', () => {
  const refuse = (message) => {
    throw new Error(message);
  };
  const start = ['-m', 'drills.local_clouds', 'up'];

  assert.deepEqual(localCloudsArguments({}, ['aws', 'gcp'], refuse), start);
  assert.deepEqual(localCloudsArguments({ cloud: 'gcp,aws', json: true }, ['aws', 'gcp'], refuse), [...start, '--cloud=gcp,aws', '--json']);
  assert.throws(() => localCloudsArguments({ cloud: 'aws,gpc' }, ['aws', 'gcp'], refuse), /^Error: Unknown cloud "gpc"\. Possible: aws, gcp\.$/);
});

test('sls local up takes a list of clouds and gives the exit status of Python', () => {
  const project = makeProject();
  replacePython(project, 'printf "<%s>" "$@"; exit 3');

  const { status, stdout } = sls(project, ['local', 'up', '--cloud', 'aws,gcp', '--json']);

  assert.equal(stdout, '<-m><drills.local_clouds><up><--cloud=aws,gcp><--json>');
  assert.equal(status, 3);
});

test('sls local up hands on the numbers of the name', () => {
  const project = makeProject();
  replacePython(project, 'printf "<%s>" "$@"');

  const { stdout } = sls(project, ['local', 'up', '--dns-ttl-s', '60', '--dns-interval-s', '10', '--dns-threshold', '3']);

  assert.equal(stdout, '<-m><drills.local_clouds><up><--dns-interval-s=10><--dns-threshold=3><--dns-ttl-s=60>');
});

test('an unknown cloud in the list is refused', () => {
  const { status, stdout } = sls(makeProject(), ['local', 'up', '--cloud', 'aws,nope']);

  assert.equal(status, 1);
  assert.match(stdout, /Unknown cloud "nope"\. Possible: aws, azure, gcp\.\n/);
});

for (const [signal, arrives] of [['SIGINT', 'SIGINT'], ['SIGTERM', 'SIGTERM'], ['SIGHUP', 'SIGTERM']]) {
  test(`${signal} of a terminal reaches Python once, which may take its time to stop`, async () => {
    const project = makeProject();
    replacePython(project, `exec '${path.join(ROOT, '.venv/bin/python')}' -c '${WAITING}'`);
    const bin = path.join(ROOT, 'node_modules/osls/bin/serverless.js');
    const environment = { PATH: process.env.PATH, HOME: os.homedir() };
    // A process group of its own is what a terminal sends signals to.
    const running = spawn(process.execPath, [bin, 'local', 'up'], { cwd: project, env: environment, detached: true });
    let shown = '';
    running.stdout.setEncoding('utf8').on('data', (text) => (shown += text));
    await once(running.stdout, 'data');

    process.kill(-running.pid, signal);
    const [status] = await once(running, 'close');

    assert.equal(shown, `ready\n${arrives} None\n`);
    assert.equal(status, 7);
  });
}
