'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { before, describe, test } = require('node:test');
const { OFFLINE, ROOT, makeProject, sls } = require('./project');

const PYTHON = path.join(ROOT, '.venv/bin/python');

/** Package a copy of the project; gives the zip. */
function packageProject(cloud, { argv = [], env = {}, umask = 0o022, mode = 0o644, folder = '.serverless' } = {}) {
  const previous = process.umask(umask);
  try {
    const project = makeProject();
    fs.mkdirSync(path.join(project, 'core/__pycache__'), { recursive: true });
    fs.writeFileSync(path.join(project, 'core/__pycache__/worker.cpython-313.pyc'), String(umask));
    fs.chmodSync(path.join(project, 'core/worker.py'), mode);
    fs.utimesSync(path.join(project, 'core/worker.py'), umask, umask);
    const { status, stdout, stderr } = sls(project, ['package', '--cloud', cloud, ...argv], env);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stderr, /sluice\.zip for .*: \d+ files of the project/);
    const zip = path.join(project, folder, 'sluice.zip');
    assert.ok(stderr.includes(`sluice.zip: ${fs.statSync(zip).size.toLocaleString('en')} bytes`), stderr);
    return zip;
  } finally {
    process.umask(previous);
  }
}

/** Services that do not answer. The embedded store is not in a package. */
const CLOSED = '127.0.0.1:9';
const SETTINGS = {
  gcp: {
    GOOGLE_CLOUD_PROJECT: 'p',
    SLUICE_LEDGER_COLLECTION: 'uploads',
    FIRESTORE_EMULATOR_HOST: CLOSED,
    PUBSUB_EMULATOR_HOST: CLOSED,
    STORAGE_EMULATOR_HOST: `http://${CLOSED}`,
  },
  azure: {
    SLUICE_LEDGER_TABLE: 'uploads',
    SLUICE_STORAGE: ['Blob', 'Queue', 'Table'].reduce((all, kind) => `${all};${kind}Endpoint=http://${CLOSED}/a`, 'AccountName=a;AccountKey=eA=='),
  },
};

/** Run Python code in the unpacked package, without the checkout on the import path. */
function runUnpacked(zip, code, { isolation, settings = {} }) {
  const folder = path.join(path.dirname(zip), 'unpacked');
  spawnSync(PYTHON, ['-m', 'zipfile', '-e', zip, folder]);
  const environment = { PATH: process.env.PATH, SLUICE_BUCKET: 'b', ...settings };
  const start = 'import os, sys; sys.path.insert(0, os.getcwd())\n';
  return spawnSync(PYTHON, [...isolation, '-B', '-W', 'error', '-c', start + code], { cwd: folder, encoding: 'utf8', env: environment });
}

/** Names and text of the files in a zip. */
function read(zip) {
  const code = 'import json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(json.dumps({n: z.read(n).decode() for n in z.namelist()}))';
  return JSON.parse(spawnSync(PYTHON, ['-c', code, zip], { encoding: 'utf8', maxBuffer: 1 << 24 }).stdout);
}

const CLOUDS = {
  gcp: { roots: ['main.py', 'requirements.txt'], entry: 'import handlers.gcp' }, // main.py needs functions-framework
  azure: { roots: ['function_app.py', 'host.json', 'requirements.txt'], entry: 'import handlers.azure' }, // the app needs azure-functions
};

for (const [cloud, { roots, entry }] of Object.entries(CLOUDS)) {
  describe(`sls package --cloud ${cloud}`, () => {
    let zip;
    let files;

    before(() => {
      zip = packageProject(cloud);
      files = read(zip);
    });

    test('makes the same bytes elsewhere, without a network', () => {
      const env = { TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8', PYTHONUTF8: '0', ...OFFLINE };
      const elsewhere = { argv: ['--package', 'build of mine'], env, umask: 0o077, mode: 0o600, folder: 'build of mine' };

      assert.ok(fs.readFileSync(zip).equals(fs.readFileSync(packageProject(cloud, elsewhere))));
    });

    test('packs the functions and what they import, and nothing else', () => {
      const names = Object.keys(files);
      const inFolders = names.filter((name) => name.includes('/'));

      assert.deepEqual(names.filter((name) => !name.includes('/')), roots);
      assert.deepEqual([...new Set(inFolders.map((name) => name.split('/')[0]))], ['core', 'handlers', 'providers']);
      for (const name of ['core/worker.py', `handlers/${cloud}.py`, 'handlers/api/__init__.py', 'providers/__init__.py', `providers/${cloud}/ledger.py`]) {
        assert.ok(inFolders.includes(name), `${name} is missing`);
      }
      const unwanted = /__pycache__|(cli|invoke_local|package|secret)\.py|providers\/(?!__init__)/;
      assert.deepEqual(inFolders.filter((name) => unwanted.test(name.replace(`providers/${cloud}/`, ''))), []);
    });

    test('pins what the cloud installs, with hashes', () => {
      const pinned = files['requirements.txt'].split('\n').filter((line) => /^\w/.test(line));

      assert.equal(files['requirements.txt'], fs.readFileSync(path.join(ROOT, `providers/${cloud}/requirements.lock`), 'utf8'));
      assert.ok(pinned.length > 3);
      for (const line of pinned) assert.match(line, /^[\w-]+==\S+ \\$/);
    });

    test('its functions start on the standard library alone', () => {
      const { status, stderr } = runUnpacked(zip, entry, { isolation: ['-I', '-S'] });

      assert.deepEqual([status, stderr], [0, '']);
    });
  });
}

test("gcp: Google's framework serves the package's functions, and knows which one takes events", () => {
  const code = `
from functions_framework import create_app
api = create_app("api", "main.py", "http").test_client()
print(api.get("/v1/health").status_code, api.post("/v1/health").status_code, api.get("/v1/uploads/x").status_code)
process = create_app("process", "main.py", "http").test_client() # what the buildpack says of a function without a trigger
ignored = {"eventType": "OBJECT_METADATA_UPDATE", "bucketId": "b", "objectId": "k", "objectGeneration": "1"}
push = {"message": {"data": "e30=", "messageId": "1", "attributes": ignored}, "subscription": "projects/p/subscriptions/s"}
print(process.post("/", json=push).text)
`;
  const { status, stdout, stderr } = runUnpacked(packageProject('gcp'), code, { isolation: ['-I'], settings: { SLUICE_CLOUD: 'gcp', ...SETTINGS.gcp } });

  assert.equal(status, 0, stderr);
  assert.equal(stdout, '401 405 404\nOK\n');
});

test('azure: the app has all functions, the API itself asks who calls, and host.json has the settings', () => {
  const code = `
import azure.functions as func, function_app
functions = {f.get_function_name(): f for f in function_app.app.get_functions()}
print({name: (f.get_trigger().type, str(getattr(f.get_trigger(), "auth_level", None))) for name, f in sorted(functions.items())})
for path in ("health", "uploads/%C3%BC?x=y"):
    request = func.HttpRequest(method="GET", url=f"https://local/v1/{path}", body=b"")
    answer = functions["api"].get_user_function()(request)
    print(answer.status_code, answer.headers["Content-Type"], answer.get_body().decode())
`;
  const zip = packageProject('azure', { argv: ['--param', 'timeout_s=90', '--param', 'batch_count=7'] });

  const { status, stdout, stderr } = runUnpacked(zip, code, { isolation: ['-I'], settings: { SLUICE_CLOUD: 'azure', ...SETTINGS.azure } });

  assert.equal(status, 0, stderr);
  const [triggers, health, record] = stdout.trim().split('\n');
  assert.equal(triggers, "{'api': ('httpTrigger', 'ANONYMOUS'), 'process': ('queueTrigger', 'None'), 'watch': ('timerTrigger', 'None')}");
  assert.match(health, /^401 application\/problem\+json .*unauthorized/);
  assert.match(record, /^404 application\/problem\+json /);
  const host = JSON.parse(read(zip)['host.json']);
  assert.equal(host.functionTimeout, '00:01:30');
  assert.equal(host.extensions.queues.batchSize, 7);
});
