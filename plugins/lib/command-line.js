'use strict';

// The framework has no positional arguments: it reads `sls put FILE` as a command named "put FILE". It does read
// process.argv again once the plugins are loaded, so the plugin takes the positional arguments out before that.

/** Options without a value; every other option takes the next argument, unless it is written --option=value. */
const FLAGS = new Set(['--all', '--current', '--json', '--help', '-h', '--verbose', '--version', '-v']);

/**
 * Split off the arguments that are neither the command nor an option. After `--`, all are.
 * @param {string[]} argv  Arguments after the program's name.
 * @param {string[]} commands  The commands that have positional arguments.
 * @returns {{argv: string[], positionals: string[]}} What the framework should see, and the rest.
 */
function takePositionals(argv, commands) {
  if (!commands.includes(argv[0])) return { argv, positionals: [] };

  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const kept = [argv[0]];
  const positionals = [];
  for (let index = 1; index < end; index += 1) {
    const argument = argv[index];
    if (!isOption(argument)) {
      positionals.push(argument);
      continue;
    }
    kept.push(argument);
    const takesNext = !FLAGS.has(argument) && !argument.includes('=');
    if (takesNext && index + 1 < end && !isOption(argv[index + 1])) kept.push(argv[(index += 1)]);
  }
  return { argv: kept, positionals: [...positionals, ...argv.slice(end + 1)] };
}

/**
 * `deploy --plan` as the command `deploy plan`, on which the framework has no hooks that deploy.
 * @param {string[]} argv  Arguments after the program's name.
 */
function renamePlan(argv) {
  const isDeploy = argv[0] === 'deploy' && (argv[1] ?? '-').startsWith('-');
  return isDeploy && argv.includes('--plan') ? ['deploy', 'plan', ...argv.slice(1).filter((each) => each !== '--plan')] : argv;
}

/** A lone dash is a file name by convention. */
const isOption = (argument) => argument.startsWith('-') && argument !== '-';

/**
 * Arguments for Python: `-m handlers.cli put --cloud=aws --key=a/b -- FILE`.
 * @param {string} command
 * @param {Record<string, string | boolean | null | undefined>} options  Of this command, by name; those not given are left out.
 * @param {string[]} positionals
 * @returns {string[]}
 */
function pythonArguments(command, options, positionals) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== false);
  const written = given.map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value ?? ''}`));
  return ['-m', 'handlers.cli', command, ...written, ...(positionals.length ? ['--', ...positionals] : [])];
}

/**
 * Give options to commands, in the nested form that a plugin declares commands in.
 * @param {string[]} names  As typed: 'deploy function'.
 * @param {object} options  The same for all.
 */
function declareOptions(names, options) {
  const root = { commands: {} };
  for (const name of names) {
    let parent = root;
    for (const word of name.split(' ')) {
      parent.commands ??= {};
      parent = parent.commands[word] ??= {};
    }
    parent.options = options;
  }
  return root.commands;
}

module.exports = { declareOptions, pythonArguments, renamePlan, takePositionals };
