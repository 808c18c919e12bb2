'use strict';

// Parts of configuration that are the same in every cloud. The framework makes its messages of them:
// "at 'functions.process.timeout_s': must be <= 540".

/** A whole number. Parameters of the command line are texts; the framework makes numbers of them first. */
const between = (minimum, maximum) => ({ type: 'integer', minimum, maximum });

/** A text, told with the whole pattern when it does not match. */
const matching = (pattern) => ({ type: 'string', regexp: pattern.toString() });

/** An object of exactly these properties. */
const exactly = (properties, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** Environment variables by name. */
const ENVIRONMENT = { type: 'object', additionalProperties: { anyOf: [{ type: 'string' }, { type: 'number' }] } };

/** Who may call the API. */
const HTTP = exactly({ access: { enum: ['private', 'public'] } });

module.exports = { between, matching, exactly, ENVIRONMENT, HTTP };
