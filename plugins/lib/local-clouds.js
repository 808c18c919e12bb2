'use strict';

// `sls local up`: Python keeps the clouds; the framework's process passes on what ends it.

const { spawn } = require('node:child_process');
const os = require('node:os');

/** Read by Python, which says what is wrong with a value. */
const NUMBERS = ['dns-interval-s', 'dns-threshold', 'dns-ttl-s'];

/** What asks a program to end. A terminal that is closed is one more way. */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Arguments for Python: `-m drills.local_clouds up --cloud=aws,gcp --json`.
 * @param {{cloud?: string, json?: boolean, [number: string]: any}} options
 * @param {string[]} clouds  That exist.
 * @param {(message: string) => never} refuse
 */
function localCloudsArguments({ cloud, json, ...others }, clouds, refuse) {
  const unknown = (cloud ?? clouds[0]).split(',').filter((name) => !clouds.includes(name));
  if (unknown.length) refuse(`Unknown cloud "${unknown.join(', ')}". Possible: ${clouds.join(', ')}.`);
  const numbers = NUMBERS.filter((name) => others[name] !== undefined).map((name) => `--${name}=${others[name]}`);
  return ['-m', 'drills.local_clouds', 'up', ...(cloud ? [`--cloud=${cloud}`] : []), ...(json ? ['--json'] : []), ...numbers];
}

/**
 * Run a program until it ends, and end it when we are asked to.
 *
 * It gets a session of its own: Ctrl-C reaches every program of the terminal's, and it would get the signal twice, the second
 * time while it stops what it started.
 * @param {Record<string, string>} [env]  Beside what this process has.
 * @returns {Promise<number>} Its exit status, as a shell tells it.
 */
function runUntilStopped(program, argv, cwd, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { cwd, env: { ...process.env, ...env }, stdio: 'inherit', detached: true });
    const passOn = (signal) => child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    for (const signal of STOPPING) process.on(signal, passOn);
    const done = (settle, value) => {
      for (const signal of STOPPING) process.off(signal, passOn);
      settle(value);
    };
    child.once('error', (error) => done(reject, error));
    child.once('exit', (status, signal) => done(resolve, status ?? 128 + os.constants.signals[signal]));
  });
}

module.exports = { localCloudsArguments, runUntilStopped };
