'use strict';

// Which cloud this command is about. serverless.yml reads it as ${file(plugins/lib/cloud.js):cloud}: the framework needs the
// provider before it loads plugins, and at that time knows no options but its own.

const { readdirSync, existsSync } = require('node:fs');
const path = require('node:path');

const DEFAULT_CLOUD = 'aws';
const LOCAL = 'local';

/**
 * The cloud that the command line names, else $CLOUD, else the default.
 * @param {string[]} argv  Arguments after the command's name.
 * @param {Record<string, string | undefined>} env
 * @returns {string}
 */
function chooseCloud(argv, env) {
  if (argv[0] === LOCAL) return DEFAULT_CLOUD; // `sls local` is about several; its --cloud is a list
  for (const [index, argument] of argv.entries()) {
    const [, named] = argument.match(/^--(?:cloud|param=cloud)=(.*)$/) ?? [];
    if (named !== undefined) return named;
    const next = argv[index + 1] ?? '';
    if (argument === '--cloud') return next;
    if (argument === '--param' && next.startsWith('cloud=')) return next.slice('cloud='.length);
  }
  return env.CLOUD || DEFAULT_CLOUD;
}

/**
 * The clouds with a configuration: the folders of providers/ that hold a serverless.yml.
 * @param {string} folder
 * @returns {string[]}
 */
function listClouds(folder = path.join(__dirname, '../../providers')) {
  return readdirSync(folder)
    .filter((name) => existsSync(path.join(folder, name, 'serverless.yml')))
    .sort();
}

/** Refuse a cloud that is not in `clouds`. */
function checkCloud(cloud, clouds) {
  if (clouds.includes(cloud)) return cloud;
  const error = new Error(`Unknown cloud "${cloud}". Possible: ${clouds.join(', ')}.`);
  error.stack = error.message; // the framework prints the stack of what a variable throws; this is a user's mistake
  throw error;
}

module.exports = () => ({ cloud: checkCloud(chooseCloud(process.argv.slice(2), process.env), listClouds()) });
Object.assign(module.exports, { chooseCloud, listClouds, checkCloud });
