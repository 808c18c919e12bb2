'use strict';

// Mistakes in serverless.yml that its schema cannot express, told before anything is asked.

const { ControlPlaneError } = require('../lib/control-plane');
const { HANDLERS } = require('./functions');

/**
 * @param {object} service  The framework's.
 * @param {string[]} reserved  Accounts that are no function's.
 * @throws {ControlPlaneError}
 */
function requireShape({ provider, functions }, reserved) {
  if (!provider.project) {
    const remedy = "set GOOGLE_CLOUD_PROJECT to the project's id, or give --param project=ID";
    throw new ControlPlaneError(`'provider.project' is empty: ${remedy}.`);
  }
  for (const [name, { handler, events }] of Object.entries(functions)) {
    if (reserved.includes(name)) throw new ControlPlaneError(`'functions.${name}': the deployment has an account of this name.`);
    const { trigger } = HANDLERS[handler];
    const triggers = events.flatMap(Object.keys);
    if (triggers.length === 1 && triggers[0] === trigger) continue;
    const found = triggers.join(', ') || 'none';
    throw new ControlPlaneError(`'functions.${name}.events': ${handler} needs exactly one event, ${trigger}; it has: ${found}.`);
  }
  const workers = Object.entries(functions).filter(([, { handler }]) => HANDLERS[handler].trigger === 'pubsub');
  if (workers.length === 1) return;
  throw new ControlPlaneError(`'functions': exactly one works off uploads (event pubsub); there are ${workers.length}.`);
}

module.exports = { requireShape };
