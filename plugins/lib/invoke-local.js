'use strict';

/** Options of `sls invoke local` that make sense for AWS, or for languages other than Python. */
const UNSUPPORTED = ['raw', 'context', 'contextPath', 'docker', 'docker-arg', 'preserve-runtime-env'];

/**
 * Arguments for Python: `-m handlers.invoke_local --handler=… --trigger=… --path=…`.
 * @param {{handler: string, events: object[]}} declared  A function of serverless.yml.
 * @param {Record<string, any>} options  Of the command line.
 * @param {(message: string) => never} refuse
 */
function invokeArguments({ handler, events }, options, refuse) {
  const given = UNSUPPORTED.filter((name) => options[name]);
  if (given.length) refuse(`--${given.join(', --')}: for --cloud aws only.`);
  if (events.length !== 1) refuse(`A function has exactly one event, which says what calls it; this one has ${events.length}.`);
  const [trigger] = Object.keys(events[0]);
  const source = ['path', 'data'].filter((name) => options[name] !== undefined).map((name) => `--${name}=${options[name]}`);
  if (source.length === 2) refuse('Give --path or --data, not both.');
  return ['-m', 'handlers.invoke_local', `--handler=${handler}`, `--trigger=${trigger}`, ...source];
}

/**
 * The function's environment. What the shell sets stands above the declared settings, so that a function can be pointed to
 * other servers; what --env says stands above all.
 * @param {object} ofProvider
 * @param {object} ofFunction
 * @param {Record<string, string | undefined>} shell
 * @param {string[]} overrides  NAME=value
 */
function localSettings(ofProvider, ofFunction, shell, overrides = []) {
  const split = (text) => [text.split('=', 1)[0], text.slice(text.indexOf('=') + 1)];
  return { ...ofProvider, ...ofFunction, ...shell, ...Object.fromEntries(overrides.map(split)) };
}

module.exports = { invokeArguments, localSettings };
