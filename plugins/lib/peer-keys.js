'use strict';

// The keys with which clouds sign what they tell each other: {"current": "k1", "keys": {"k1": "<64 hexadecimal digits>"}}.
// handlers/peers/settings.py reads them.

const { randomBytes } = require('node:crypto');

const TEXT_MAX_CHARS = 16_384;
const KEY_ID = /^[\w-]{1,64}$/;
const SECRET = /^(?:[0-9a-f]{2}){32,}$/i;

/** What is wrong with those that are none. */
const PEER_KEYS_FORM =
  'Peer keys are {"current": "k1", "keys": {"k1": "…"}}, each key 64 or more hexadecimal digits ("openssl rand -hex 32").';

/** New ones: one key of 32 random bytes. */
function makePeerKeys() {
  return JSON.stringify({ current: 'k1', keys: { k1: randomBytes(32).toString('hex') } });
}

/**
 * Keys in one spelling, so that equal ones are equal texts.
 * @param {string} text
 * @returns {string}  '' if they are none; nothing says what was given.
 */
function normalizePeerKeys(text) {
  const given = text.length <= TEXT_MAX_CHARS ? parseJson(text) : undefined;
  const keys = given?.keys && typeof given.keys === 'object' ? Object.entries(given.keys) : [];
  const isKey = ([id, secret]) => KEY_ID.test(id) && typeof secret === 'string' && SECRET.test(secret);
  if (!keys.length || !keys.every(isKey) || typeof given.current !== 'string' || !Object.hasOwn(given.keys, given.current)) return '';
  const sorted = keys.sort(([one], [other]) => (one < other ? -1 : 1)).map(([id, secret]) => [id, secret.toLowerCase()]);
  return JSON.stringify({ current: given.current, keys: Object.fromEntries(sorted) });
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the error would quote what was given
  }
}

module.exports = { PEER_KEYS_FORM, makePeerKeys, normalizePeerKeys };
