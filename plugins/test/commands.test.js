'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { declareOptions, pythonArguments, takePositionals } = require('../lib/command-line');
const { makeProject, replacePython, sls } = require('./project');

const ECHO = 'printf "<%s>" "$@"; echo; echo "$SLUICE_CLOUD $SLUICE_LOCAL_DIR"';

/** What Python got: its arguments, and the line with cloud and folder. */
const received = ({ stdout }) => stdout.trim().split('\n');

test('positional arguments are split off, and options keep their values', () => {
  const cases = [
    ['put FILE', 'put', ['FILE']],
    ['put FILE --key a', 'put --key a', ['FILE']],
    ['put --key a FILE', 'put --key a', ['FILE']],
    ['put --key=a FILE', 'put --key=a', ['FILE']],
    ['put --help FILE', 'put --help', ['FILE']],
    ['put -s prod FILE', 'put -s prod', ['FILE']],
    ['put --key --cloud aws', 'put --key --cloud aws', []],
    ['put --key -- FILE', 'put --key', ['FILE']],
    ['put - --cloud aws', 'put --cloud aws', ['-']],
    ['put --cloud aws -- -x --y', 'put --cloud aws', ['-x', '--y']],
    ['redrive a --all b', 'redrive --all', ['a', 'b']],
    ['deploy function', 'deploy function', []],
  ];

  for (const [typed, kept, positionals] of cases) {
    assert.deepEqual(takePositionals(typed.split(' '), ['put', 'redrive']), { argv: kept.split(' '), positionals }, typed);
  }
});

test('Python gets the options that were given, and positional arguments that it cannot take for options', () => {
  const options = { key: '-k', json: true, all: false, current: undefined };

  assert.deepEqual(pythonArguments('put', options, ['-f']), ['-m', 'handlers.cli', 'put', '--key=-k', '--json', '--', '-f']);
  assert.deepEqual(pythonArguments('ledger', {}, []), ['-m', 'handlers.cli', 'ledger']);
});

test('options are declared for a command and its subcommand', () => {
  const options = {};

  assert.deepEqual(declareOptions(['deploy', 'deploy list'], options), {
    deploy: { options, commands: { list: { options } } },
  });
});

test('sls put passes a file name with spaces and a key, and works in .sluice', () => {
  const project = makeProject();
  replacePython(project, ECHO);

  const result = sls(project, ['put', 'a b.txt', '--key', 'x/y']);

  const here = fs.realpathSync(project);
  assert.deepEqual(received(result), ['<-m><handlers.cli><put><--key=x/y><--cloud=aws><--><a b.txt>', `aws ${here}/.sluice`]);
  assert.equal(result.status, 0);
});

test('a folder set beforehand is respected', () => {
  const project = makeProject();
  replacePython(project, ECHO);

  assert.equal(received(sls(project, ['ledger', '--json'], { SLUICE_LOCAL_DIR: '/else' }))[1], 'aws /else');
});

test("Python's exit status is passed on, and nothing is added to its words", () => {
  const project = makeProject();
  replacePython(project, 'echo "Error: no such file" >&2; exit 3');

  assert.deepEqual(sls(project, ['put', 'x']), { status: 3, stdout: '', stderr: 'Error: no such file\n' });
});

test('an option that does not exist is an error', () => {
  const { status, stdout } = sls(makeProject(), ['put', 'x', '--kee', 'y']);

  assert.equal(status, 1);
  assert.match(stdout, /unrecognized CLI options: "--kee"/);
});

test('help says how to call a command', () => {
  const { status, stdout } = sls(makeProject(), ['put', '--help']);

  assert.equal(status, 0);
  assert.match(stdout, /sls put FILE \[--key KEY\]/);
  assert.match(stdout, /--cloud/);
});

test('without .venv the error says what to do', () => {
  const project = makeProject();
  fs.unlinkSync(path.join(project, '.venv'));

  const { status, stdout } = sls(project, ['ledger']);

  assert.equal(status, 1);
  assert.equal(stdout, 'Error:\n.venv/bin/python is missing: run "make setup".\n');
});
