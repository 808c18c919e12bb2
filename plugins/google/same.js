'use strict';

/**
 * Whether everything that is declared stands so. What else stands, was added by Google.
 * @param {any} live
 * @param {any} declared  Objects are compared by their own properties; lists and plain values as a whole.
 */
function sameParts(live, declared) {
  if (Array.isArray(declared)) {
    return (live ?? []).length === declared.length && declared.every((part, index) => sameParts(live[index], part));
  }
  if (declared === null || typeof declared !== 'object') return live === declared;
  return Object.entries(declared).every(([name, part]) => sameParts(live?.[name], part));
}

module.exports = { sameParts };
