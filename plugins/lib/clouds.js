'use strict';

// `sls clouds deploy|info|remove`: the same command for one cloud after the other (they share .serverless/), and what each must
// know of the others. A cloud's address is known once it stands, so that those which stand nowhere are deployed alone first.

const { PEER_KEYS_FORM, makePeerKeys, normalizePeerKeys } = require('./peer-keys');

/** The order of preference, unless `--only` says another. */
const PREFERENCE = ['aws', 'gcp', 'azure'];

/** These are for `clouds deploy` to say. */
const OWN_PARAMS = ['cloud', 'order', 'peer_keys', 'peer_keys_secret', 'peers'];

const REASON_MAX_CHARS = 300;
const FIRST_WORD = /^(?:✖ )?\w*Error:/; // of what the framework, Node or Python says of a failure
const KEY = /[0-9a-f]{64,}/gi; // nothing that looks as one is shown

/**
 * What came of a command for one cloud.
 * @typedef {{cloud: string, result: string, reason: string}} Outcome  `result`: deployed, planned, told, removed; failed; skipped.
 */

/**
 * Run `sls … --cloud CLOUD` to its end.
 * @typedef {(cloud: string, argv: string[], how?: {input?: string, isQuiet?: boolean}) =>
 *   Promise<{isDone: boolean, output: string, reason: string}>} Call
 *   `output`: standard output; quiet: not shown. `reason`: why it failed, in a line.
 */

/**
 * Which clouds are meant, the preferred one first.
 * @param {string | undefined} only  As typed: "gcp,aws".
 * @param {string[]} known  Clouds with a configuration.
 * @param {(message: string) => never} refuse
 */
function chooseClouds(only, known, refuse) {
  const preferred = [...PREFERENCE.filter((name) => known.includes(name)), ...known.filter((name) => !PREFERENCE.includes(name))];
  if (only === undefined) return preferred;
  const chosen = only.split(',').map((name) => name.trim());
  const unknown = chosen.filter((name) => !known.includes(name));
  if (unknown.length) refuse(`Unknown cloud "${unknown.join(', ')}". Possible: ${known.join(', ')}.`);
  if (new Set(chosen).size < chosen.length) refuse('--only names a cloud twice.');
  return chosen;
}

/** Refuse what would contradict what the clouds are told, or is another thing in each. */
function checkParams({ param = [], region }, refuse) {
  const own = param.map((each) => each.split('=')[0]).find((name) => OWN_PARAMS.includes(name));
  if (own) refuse(`--param ${own} is set by "sls clouds deploy" itself; the order is that of --only.`);
  if (region) refuse('--region would be that of all clouds; each has its own variable: AWS_REGION, and so on.');
}

/**
 * Run one command for each cloud, past failures.
 * @param {{clouds: string[], argv: string[], call: Call, tell: (line: string) => void, result: string}} what
 * @returns {Promise<Outcome[]>}
 */
async function runForEach({ clouds, argv, call, tell, result }) {
  const outcomes = [];
  for (const cloud of clouds) {
    tell(`\n${cloud}: sls ${argv.join(' ')}`);
    outcomes.push(outcomeOf(cloud, await call(cloud, argv), result));
  }
  return outcomes;
}

/**
 * What operators' commands must know of clouds that are deployed: the contents of a peers file (docs/operations.md).
 * @param {{clouds: string[], call: Call, refuse: (message: string) => never}} what
 * @returns {Promise<{peers: Record<string, {url: string, origins: string[]}>, keys: object}>}  Clouds that stand nowhere are left out.
 */
async function gatherPeers({ clouds, call, refuse }) {
  const ask = async (cloud, argv) => {
    const { isDone, output, reason } = await call(cloud, argv, { isQuiet: true });
    return isDone ? output.trim() : refuse(`${cloud}: ${reason}`);
  };
  const peers = {};
  let keys = '';
  for (const cloud of clouds) {
    const address = JSON.parse(await ask(cloud, ['address', '--json']));
    if (!address) continue;
    peers[cloud] = address;
    keys ||= normalizePeerKeys(await ask(cloud, ['peer-keys']));
  }
  if (!keys) refuse('No cloud that is deployed holds peer keys: "sls clouds deploy" makes them, for two clouds or more.');
  return { peers, keys: JSON.parse(keys) };
}

const outcomeOf = (cloud, { isDone, reason }, result) => ({ cloud, result: isDone ? result : 'failed', reason: isDone ? '' : reason });

/** Deploys clouds that know each other. */
class CloudsDeployment {
  /**
   * @param {object} context
   * @param {string[]} context.clouds  The preferred one first.
   * @param {Call} context.call
   * @param {(line: string) => void} context.tell
   * @param {boolean} [context.isPlan]  Change nothing; the clouds' own `deploy --plan`.
   * @param {() => string} [context.makeKeys]
   */
  constructor({ clouds, call, tell, isPlan = false, makeKeys = makePeerKeys }) {
    Object.assign(this, { clouds, call, tell, isPlan, makeKeys, outcomes: {}, addresses: {}, unknown: {} });
    this.verb = isPlan ? ['deploy', '--plan'] : ['deploy'];
    this.done = isPlan ? 'planned' : 'deployed';
  }

  /** @returns {Promise<Outcome[]>}  One for each cloud. */
  async run() {
    if (this.clouds.length === 1) await this.#deploy(this.clouds[0], []);
    else await this.#deployAmongOthers();
    return this.clouds.map((cloud) => this.outcomes[cloud]);
  }

  async #deployAmongOthers() {
    for (const cloud of this.clouds) await this.#locate(cloud);
    const missing = this.clouds.filter((cloud) => this.addresses[cloud] === null);
    if (missing.length) this.tell(`\nNot deployed yet: ${missing.join(', ')}. First without the others, until all addresses are known.`);
    for (const cloud of missing) {
      await this.#deploy(cloud, []);
      if (!this.isPlan) await this.#locate(cloud);
    }
    const members = this.clouds.filter((cloud) => this.addresses[cloud]);
    const [unknown] = Object.entries(this.unknown);
    if (unknown) return this.#skip(members, `${unknown[0]} cannot be asked where it is; without it: --only ${members.join(',') || '…'}`);
    const away = this.clouds.filter((cloud) => !members.includes(cloud));
    const why = this.isPlan ? 'its address is known once it is deployed' : 'it was never deployed';
    if (away.length) this.tell(`\nThe others are told nothing of ${away.join(', ')}: ${why}.`);
    if (members.length === 1 && this.outcomes[members[0]]?.result === this.done) return undefined;
    return this.#deployMembers(members);
  }

  /** Deploy clouds whose addresses are known, each with those of the others. */
  async #deployMembers(members) {
    if (members.length === 1) return this.#deploy(members[0], []);
    const references = await this.#shareKeys(members);
    if (!references) return undefined;
    for (const cloud of members.filter((name) => references[name] !== undefined)) {
      await this.#deploy(cloud, peerParams(cloud, members, this.addresses, references[cloud]));
    }
    return undefined;
  }

  async #deploy(cloud, params) {
    this.tell(`\n${cloud}: sls ${this.verb.join(' ')}${params.length ? ' with the addresses of the others' : ''}`);
    const argv = [...this.verb, ...params.flatMap((param) => ['--param', param])];
    this.outcomes[cloud] = outcomeOf(cloud, await this.call(cloud, argv), this.done);
  }

  async #locate(cloud) {
    const { isDone, output, reason } = await this.call(cloud, ['address', '--json'], { isQuiet: true });
    this.addresses[cloud] = isDone ? JSON.parse(output) : undefined;
    if (!isDone) this.unknown[cloud] = reason;
    if (!isDone) this.outcomes[cloud] = { cloud, result: 'failed', reason };
  }

  /**
   * See to it that all hold the same keys.
   * @returns {Promise<Record<string, string> | undefined>}  By cloud, the parameter that refers to its keys; those that failed
   *   are left out. Undefined: nobody may be deployed.
   */
  async #shareKeys(members) {
    const held = {};
    for (const cloud of members) {
      const { isDone, output, reason } = await this.call(cloud, ['peer-keys'], { isQuiet: true });
      const keys = isDone && output.trim() !== '{}' ? normalizePeerKeys(output) : '';
      const isUnfit = isDone && !keys && output.trim() !== '{}';
      if (isDone && !isUnfit) held[cloud] = keys;
      else this.outcomes[cloud] = { cloud, result: 'failed', reason: isUnfit ? PEER_KEYS_FORM : reason };
    }
    const holders = Object.keys(held).filter((cloud) => held[cloud]);
    const other = holders.find((cloud) => held[cloud] !== held[holders[0]]);
    if (other) {
      const remedy = `npx sls peer-keys --cloud ${holders[0]} | npx sls peer-keys --set --cloud ${other}`;
      return this.#skip(members, `${holders[0]} and ${other} hold different peer keys; to give ${other} those of ${holders[0]}: ${remedy}`);
    }
    const isUnsure = Object.keys(held).length < members.length;
    if (!holders.length && isUnsure) return this.#skip(members, 'no cloud that can be asked holds peer keys, and another one may');
    return this.#referToKeys(held, holders.length ? held[holders[0]] : '');
  }

  async #referToKeys(held, found) {
    if (this.isPlan && Object.values(held).includes('')) {
      this.tell('\nPeer keys would be made or copied: the plans are without them.');
      return Object.fromEntries(Object.keys(held).map((cloud) => [cloud, '']));
    }
    const keys = found || this.makeKeys();
    const references = {};
    for (const [cloud, own] of Object.entries(held)) {
      const written = own ? { isDone: true } : await this.call(cloud, ['peer-keys', '--set'], { input: keys, isQuiet: true });
      if (!own && written.isDone) this.tell(`${cloud}: peer keys stored`);
      const told = written.isDone ? await this.call(cloud, ['peer-keys', '--reference'], { isQuiet: true }) : written;
      if (told.isDone) references[cloud] = told.output.trim();
      else this.outcomes[cloud] = { cloud, result: 'failed', reason: told.reason };
    }
    return references;
  }

  /** Leave clouds as they are. Those that were deployed a moment ago stand, without the others. */
  #skip(clouds, reason) {
    for (const cloud of clouds) {
      const isFresh = this.outcomes[cloud]?.result === this.done;
      if (this.outcomes[cloud]?.result !== 'failed') {
        this.outcomes[cloud] = { cloud, result: 'skipped', reason: isFresh ? `it stands, without the others: ${reason}` : reason };
      }
    }
  }
}

/**
 * What one cloud is told of the others.
 * @param {string} cloud
 * @param {string[]} members  All that know each other, the preferred one first.
 * @param {Record<string, {url: string, origins: string[]}>} addresses
 * @param {string} reference  The parameter that refers to the keys; '' in a plan without them.
 * @returns {string[]}  Parameters, name=value.
 */
function peerParams(cloud, members, addresses, reference) {
  const others = Object.fromEntries(members.filter((name) => name !== cloud).map((name) => [name, addresses[name]]));
  return [`order=${members.join(',')}`, `peers=${JSON.stringify(others)}`, ...(reference ? [reference] : [])];
}

/**
 * Why a command failed, in a line, from what the framework printed: the lines after "Error:".
 * @param {string} printed
 */
function reasonOf(printed) {
  const lines = printed.split('\n').map((line) => line.trim());
  const at = lines.findLastIndex((line) => FIRST_WORD.test(line));
  const said = at < 0 ? lines.filter(Boolean).slice(-1) : lines.slice(at);
  const end = said.findIndex((line, index) => (index > 1 && line === '') || line.startsWith('at '));
  const text = said.slice(0, end < 0 ? undefined : end).join(' ').replace(FIRST_WORD, '').trim();
  return text.replace(KEY, '…').slice(0, REASON_MAX_CHARS) || 'it says nothing';
}

/** The outcomes for people. */
function tableOf(outcomes) {
  const width = Math.max(...outcomes.map(({ cloud }) => cloud.length), 'cloud'.length);
  const row = (cloud, result, reason) => `${cloud.padEnd(width)}  ${result.padEnd('deployed'.length)}  ${reason}`.trimEnd();
  return [row('cloud', 'result', 'reason'), ...outcomes.map(({ cloud, result, reason }) => row(cloud, result, reason))].join('\n');
}

module.exports = { CloudsDeployment, checkParams, chooseClouds, gatherPeers, peerParams, reasonOf, runForEach, tableOf };
