'use strict';

// The same command line again, for one cloud.

const { spawn } = require('node:child_process');
const { reasonOf } = require('./clouds');

/** Options of the command line that each child gets as well. */
const PASSED_ON = ['stage', 'config'];

/**
 * Arguments of a child: `deploy --plan --cloud gcp --stage=prod --param copies=2`.
 * @param {string} cloud
 * @param {string[]} argv  The command and its own options.
 * @param {Record<string, any>} options  Of this command line.
 */
function childArguments(cloud, argv, options) {
  const passedOn = PASSED_ON.filter((name) => options[name]).map((name) => `--${name}=${options[name]}`);
  const params = (options.param ?? []).flatMap((param) => ['--param', param]);
  const profile = cloud === 'aws' && options['aws-profile'] ? [`--aws-profile=${options['aws-profile']}`] : [];
  return [...argv, '--cloud', cloud, ...passedOn, ...profile, ...params];
}

/**
 * Make what runs children, and shows what they print unless they are quiet.
 * @param {{serviceDir: string, options: Record<string, any>}} context
 * @returns {import('./clouds').Call}
 */
function makeCall({ serviceDir, options }) {
  return (cloud, argv, { input = '', isQuiet = false } = {}) =>
    new Promise((resolve, reject) => {
      const all = [process.argv[1], ...childArguments(cloud, argv, options)];
      const child = spawn(process.execPath, all, { cwd: serviceDir, stdio: ['pipe', 'pipe', 'pipe'] });
      const printed = { output: '', all: '' };
      const take = (to) => (text) => {
        if (to === process.stdout) printed.output += text;
        printed.all += text;
        if (!isQuiet) to.write(text);
      };
      child.stdout.setEncoding('utf8').on('data', take(process.stdout));
      child.stderr.setEncoding('utf8').on('data', take(process.stderr));
      child.once('error', reject);
      child.once('close', (status) => resolve({ isDone: status === 0, output: printed.output, reason: reasonOf(printed.all) }));
      child.stdin.on('error', () => undefined); // it ended without reading: its status says why
      child.stdin.end(input);
    });
}

module.exports = { childArguments, makeCall };
