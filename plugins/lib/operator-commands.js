'use strict';

// `sls failover …`, `sls upload` and `sls api up`: which Python module runs each, and its options. Python checks their values.

const text = (usage, more = {}) => ({ usage, type: 'string', ...more });
const flag = (usage) => ({ usage, type: 'boolean' });

const SHARED = {
  peers: text('File that says where the clouds are (default: SLUICE_PEERS, or the local clouds)'),
  json: flag('Print JSON, with every field'),
};
const CHANGING = {
  yes: flag('Do not ask'),
  force: flag('Also if the cloud is not well or does not answer'),
  reason: text('Kept with the route, for others to read'),
  ...SHARED,
};
const WITHIN = { 'for-s': text('Stop after so many seconds (default: 600)') };

/** Options of these belong to Python alone: they are handed on as they were typed. */
const HANDED_ON = ['failover dns plan', 'failover dns apply', 'failover dns switch', 'failover drill'];

/** These may ask a question at the terminal, so they must stay with it. */
const ASKING = ['failover switch', 'failover pin', 'failover unpin', 'failover hold', 'failover dns apply', 'failover dns switch'];

/** octoDNS's providers pin old SDKs, so they have an environment of their own. */
const DNS_PYTHON = '.venv-dns/bin/python';

/** By the words typed: what to say of it, the module of handlers/ (or of `package`) with the word that it gets, and options. */
const OPERATOR_COMMANDS = {
  'failover status': {
    usage: 'Show all clouds: health, votes, route, work that waits',
    run: ['failover', 'status'],
    options: { deep: flag('Also compare the ledgers, reading all of each'), ...WITHIN, ...SHARED },
  },
  'failover switch': {
    usage: 'Make another cloud the active one',
    run: ['failover', 'switch'],
    options: { to: text('The cloud', { required: true }), ...CHANGING },
  },
  'failover pin': { usage: 'Keep the active cloud, whatever happens', run: ['failover', 'pin'], options: CHANGING },
  'failover unpin': { usage: 'Let the route move by itself again', run: ['failover', 'unpin'], options: CHANGING },
  'failover hold': {
    usage: 'Let nothing move by itself for a while',
    run: ['failover', 'hold'],
    options: { 'for-s': text('For so many seconds; 0 ends it', { required: true }), ...CHANGING },
  },
  'failover reconcile': {
    usage: "Merge every cloud's records into every other",
    run: ['failover', 'reconcile'],
    options: { ...WITHIN, ...SHARED },
  },
  'failover drain': {
    usage: "Work off a dead cloud's queue from here",
    run: ['failover', 'drain'],
    options: { from: text('Whose queue; its settings and credentials come from the environment', { required: true }), ...WITHIN, ...SHARED },
  },
  'failover dns plan': { usage: 'Show what would change in DNS; options: python -m handlers.dns plan --help', python: DNS_PYTHON, run: ['dns', 'plan'], options: {} },
  'failover dns apply': { usage: 'Change DNS as declared; options: python -m handlers.dns apply --help', python: DNS_PYTHON, run: ['dns', 'apply'], options: {} },
  'failover dns switch': { usage: 'Point the DNS name to another cloud; options: python -m handlers.dns switch --help', python: DNS_PYTHON, run: ['dns', 'switch'], options: {} },
  'failover drill': {
    usage: 'Break clouds, local or deployed, and judge what became of every upload: sls failover drill [SCENARIO...|--list]',
    package: 'drills',
    run: ['failover'],
    options: {},
  },
  upload: {
    usage: 'Upload files to whichever cloud works: sls upload FILE... [--to URL]',
    run: ['upload'],
    options: {
      to: { usage: "A cloud's API, URL or CLOUD=URL; may be repeated", type: 'multiple' },
      copies: text('Clouds in which an upload must stand (default: as set there)'),
      'api-key-file': text('File that holds the API key (default: SLUICE_API_KEY)'),
      'timeout-s': text('How long a cloud may be silent (default: 10)'),
      'for-s': text('Give up a file after so many seconds (default: 600)'),
      ...SHARED,
    },
  },
  'api up': {
    usage: 'Serve the HTTP API on this machine, until Ctrl-C',
    run: ['serve'],
    options: { port: text('Port (default: any free one)'), cloud: text('Cloud to serve as (default: aws)') },
  },
};

const USAGE_OF_GROUP = {
  failover: 'Which cloud serves, and work that moves between them',
  'failover dns': 'The DNS names that lead to the active cloud',
  api: 'The HTTP API',
};

/** These commands in the nested form that a plugin declares commands in. */
function declareCommands() {
  const root = { commands: {} };
  for (const [typed, { usage, options }] of Object.entries(OPERATOR_COMMANDS)) {
    const words = typed.split(' ');
    let parent = root;
    for (const [index, word] of words.slice(0, -1).entries()) {
      const group = words.slice(0, index + 1).join(' ');
      parent = parent.commands[word] ??= { usage: USAGE_OF_GROUP[group], type: 'container', commands: {} };
    }
    parent.commands[words.at(-1)] = { usage, lifecycleEvents: ['run'], options };
  }
  return root.commands;
}

/**
 * Arguments for Python: `-m handlers.failover switch --to=gcp --yes`.
 * @param {string} typed  The command.
 * @param {Record<string, any>} options  Of the command line, by name; those not given are left out.
 * @param {string[]} rest  What follows as it was typed: positional arguments, or options that are not ours.
 */
function operatorArguments(typed, options, rest) {
  const { run, options: declared, package: within = 'handlers' } = OPERATOR_COMMANDS[typed];
  const [name, ...words] = run;
  const write = (option) => {
    const value = options[option];
    if (value === true) return [`--${option}`];
    return [value ?? []].flat().map((each) => `--${option}=${each}`);
  };
  const written = Object.keys(declared).filter((option) => options[option] !== false).flatMap(write);
  const separator = rest.length && !HANDED_ON.includes(typed) ? ['--'] : [];
  return ['-m', `${within}.${name}`, ...words, ...written, ...separator, ...rest];
}

/**
 * Split off what Python alone understands.
 * @param {string[]} argv  Arguments after the program's name.
 * @returns {{argv: string[], rest: string[]}} What the framework should see, and what is handed on.
 */
function takeHandedOn(argv) {
  const typed = HANDED_ON.find((command) => `${argv.join(' ')} `.startsWith(`${command} `));
  if (!typed) return { argv, rest: [] };
  const count = typed.split(' ').length;
  const isHelp = (argument) => argument === '--help' || argument === '-h';
  const after = argv.slice(count);
  return { argv: [...argv.slice(0, count), ...after.filter(isHelp)], rest: after.filter((argument) => !isHelp(argument)) };
}

module.exports = { ASKING, OPERATOR_COMMANDS, declareCommands, operatorArguments, takeHandedOn };
