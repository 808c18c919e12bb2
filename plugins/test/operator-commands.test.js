'use strict';

const assert = require('node:assert/strict');
const { existsSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { OPERATOR_COMMANDS, declareCommands, operatorArguments, takeHandedOn } = require('../lib/operator-commands');
const { ROOT, makeProject, replacePython, sls } = require('./project');

const ECHO = 'printf "<%s>" "$@"; echo; echo "$SLUICE_CLOUD $SLUICE_LOCAL_DIR"; exit 3';

/** What Python got of a command line: its arguments, the line with cloud and folder, and what became of its status. */
function called(argv, { env = {}, environment = '.venv' } = {}) {
  const project = makeProject();
  replacePython(project, ECHO, environment);
  const { status, stdout } = sls(project, argv, env);
  return [...stdout.split('\n').slice(0, 2), status];
}

test('every command is declared where its words lead', () => {
  const declared = declareCommands();

  assert.deepEqual(Object.keys(declared), ['failover', 'upload', 'api']);
  assert.deepEqual(Object.keys(declared.failover.commands.dns.commands), ['plan', 'apply', 'switch']);
  assert.equal(declared.failover.type, 'container');
  assert.deepEqual(declared.upload.lifecycleEvents, ['run']);
});

test('every command is a module of the project', () => {
  for (const [typed, { run: [name], package: within = 'handlers' }] of Object.entries(OPERATOR_COMMANDS)) {
    const forms = [`${within}/${name}.py`, `${within}/${name}/__main__.py`];
    assert.ok(forms.some((form) => existsSync(path.join(ROOT, form))), typed);
  }
});

test('Python gets the options that were given, an option of several values once for each', () => {
  const options = { to: ['https://a', 'b=https://b'], copies: '2', json: true, peers: undefined, 'for-s': null };

  assert.deepEqual(operatorArguments('upload', options, ['-f']), [
    ...['-m', 'handlers.upload', '--to=https://a', '--to=b=https://b', '--copies=2', '--json', '--', '-f'],
  ]);
  assert.deepEqual(operatorArguments('failover pin', { yes: false }, []), ['-m', 'handlers.failover', 'pin']);
});

test('options of DNS are taken out before the framework judges them, but for --help', () => {
  const cases = [
    ['failover dns plan --zone a -x --help', 'failover dns plan --help', '--zone a -x'],
    ['failover dns apply', 'failover dns apply', ''],
    ['failover status --json', 'failover status --json', ''],
    ['deploy --zone a', 'deploy --zone a', ''],
  ];

  for (const [typed, argv, rest] of cases) {
    assert.deepEqual(takeHandedOn(typed.split(' ')), { argv: argv.split(' '), rest: rest ? rest.split(' ') : [] }, typed);
  }
});

test('sls failover hands options on, sets no embedded store, and gives the exit status of Python', () => {
  const argv = ['failover', 'switch', '--to', 'gcp', '--yes', '--reason', 'aws is slow'];

  assert.deepEqual(called(argv), ['<-m><handlers.failover><switch><--to=gcp><--yes><--reason=aws is slow>', ' ', 3]);
});

test('sls failover dns hands everything on as it was typed', () => {
  const argv = ['failover', 'dns', 'plan', '--json', '--zone', 'a b', '--x=-y'];

  assert.deepEqual(called(argv, { environment: '.venv-dns' }), ['<-m><handlers.dns><plan><--json><--zone><a b><--x=-y>', ' ', 3]);
});

test('sls failover drill hands its scenarios and options on', () => {
  assert.deepEqual(called(['failover', 'drill', 'hang', '--json']), ['<-m><drills.failover><hang><--json>', ' ', 3]);
});

test('sls upload takes files and clouds in any order', () => {
  const argv = ['upload', 'a b', '--to', 'http://127.0.0.1:1', '--to', 'gcp=http://127.0.0.1:2', '-', '--', '--c'];
  const passed = '<--to=http://127.0.0.1:1><--to=gcp=http://127.0.0.1:2><--><a b><-><--c>';

  assert.deepEqual(called(argv), [`<-m><handlers.upload>${passed}`, ' ', 3]);
});

test('sls api up serves the cloud that was named, in the folder that was set', () => {
  const argv = ['api', 'up', '--cloud', 'gcp', '--port', '8080'];

  assert.deepEqual(called(argv, { env: { SLUICE_LOCAL_DIR: '/else' } }), ['<-m><handlers.serve><--port=8080><--cloud=gcp>', 'gcp /else', 3]);
});

test('sls sweep runs on the embedded store', () => {
  assert.deepEqual(called(['sweep', '--min-age-s', '5', '--json'], { env: { SLUICE_LOCAL_DIR: '/else' } }), [
    ...['<-m><handlers.cli><sweep><--min-age-s=5><--json><--cloud=aws>', 'aws /else', 3],
  ]);
});

test('what a command cannot do without is asked for', () => {
  const { status, stdout } = sls(makeProject(), ['failover', 'drain']);

  assert.equal(status, 1);
  assert.match(stdout, /"failover drain" requires "--from" option/);
});
