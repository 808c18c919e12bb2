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

/** Settings of AWS that a cloud does not have: what does it by itself there, or that it has no word for it. */
const LACKING = {
  azure: {
    reserved_concurrency: 'an app has machines of its own',
    concurrency: 'batch_count is what one machine works on at once',
    max_receive_count: 'a constant in host.json',
    multipart_days: 'blocks that nobody joined end after a week',
    peer_keys: 'a secret is named, not resolved: peer_keys_secret',
    ledger_deletion_protection: 'a table has none',
    alarm_age_s: 'no alarms yet',
    alarm_topic_arns: 'no alarms yet',
  },
  gcp: {
    reserved_concurrency: 'a function has instances of its own',
    batch_count: 'a push has one message',
    concurrency: 'likewise',
    log_days: "how long logs stay is the project's own setting",
    peer_keys: 'a secret is named, not resolved: peer_keys_secret',
    alarm_age_s: 'no alarms yet',
    alarm_topic_arns: 'no alarms yet',
  },
};

for (const [cloud, lacking] of Object.entries(LACKING)) {
  test(`${cloud} has the settings of AWS, except those that are named here`, () => {
    const missing = parametersOf('aws').filter((name) => !parametersOf(cloud).includes(name));

    assert.deepEqual(missing.sort(), Object.keys(lacking).sort());
  });
}
