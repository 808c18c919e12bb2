'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

/** Parameters of a cloud's serverless.yml, by name. */
function parametersOf(cloud) {
  const text = fs.readFileSync(path.join(__dirname, `../../providers/${cloud}/serverless.yml`), 'utf8');
  const block = text.slice(text.indexOf('  default:\n'), text.indexOf('\nprovider:'));
  return [...block.matchAll(/^ {4}(\w+):/gm)].map(([, name]) => name);
}

/** What another service of Azure does by itself, or has no word for. */
const NOT_ON_AZURE = {
  reserved_concurrency: 'an app has machines of its own',
  concurrency: 'batch_count is what one machine works on at once',
  max_receive_count: 'a constant in host.json',
  multipart_days: 'blocks that nobody joined end after a week',
  peer_keys: 'a secret is named, not resolved: peer_keys_secret',
  ledger_deletion_protection: 'a table has none',
  alarm_age_s: 'no alarms yet',
  alarm_topic_arns: 'no alarms yet',
};

test('azure has the settings of AWS, except those that are named here', () => {
  const missing = parametersOf('aws').filter((name) => !parametersOf('azure').includes(name));

  assert.deepEqual(missing.sort(), Object.keys(NOT_ON_AZURE).sort());
});
