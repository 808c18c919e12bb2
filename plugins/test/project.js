'use strict';

// A copy of the project's configuration in a folder of its own, with stub functions, so that tests can package and run
// without a trace in the checkout.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const ROOT = path.join(__dirname, '../..');
const SLS = path.join(ROOT, 'node_modules/osls/bin/serverless.js');

/** Settings under which nothing reaches a network: neither Node nor pip. */
const OFFLINE = {
  NODE_OPTIONS: `--require "${path.join(__dirname, 'no-network.js')}"`,
  ...Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map((name) => [name, 'http://127.0.0.1:9'])),
};

const folders = [];
process.once('exit', () => folders.forEach((folder) => fs.rmSync(folder, { recursive: true })));

/**
 * Copy what the framework reads. It is removed when the tests end.
 * @param {Record<string, string>} [files]  More files, by relative path; a file of the copy is overwritten.
 * @returns {string} The folder.
 */
function makeProject(files = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice test ')); // with a space: paths are not ours to choose
  folders.push(folder);
  for (const name of ['serverless.yml', 'package.json', 'plugins', 'providers', 'core', 'handlers']) {
    fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  }
  for (const name of ['node_modules', '.venv', 'build']) fs.symlinkSync(path.join(ROOT, name), path.join(folder, name));
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  return folder;
}

/** Put a shell script in Python's place. */
function replacePython(folder, script, environment = '.venv') {
  fs.rmSync(path.join(folder, environment), { force: true });
  fs.mkdirSync(path.join(folder, environment, 'bin'), { recursive: true });
  fs.writeFileSync(path.join(folder, environment, 'bin/python'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/**
 * Run `sls` there, without this shell's settings and credentials, and with a closed port in place of AWS.
 * @param {string} folder
 * @param {string[]} argv
 * @param {Record<string, string>} [env]
 */
function sls(folder, argv, env = {}) {
  const noAws = { AWS_ENDPOINT_URL: 'http://127.0.0.1:9', AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [SLS, ...argv], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: os.homedir(), ...noAws, ...env }, // the framework keeps a cache at home
  });
  return { status, stdout, stderr };
}

module.exports = { OFFLINE, ROOT, makeProject, replacePython, sls };
