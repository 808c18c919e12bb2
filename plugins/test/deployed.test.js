'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { settingsFromOutputs } = require('../lib/deployed');

test('every setting is read from an output that the stack declares', () => {
  const declared = fs.readFileSync(path.join(__dirname, '../../providers/aws/storage.yml'), 'utf8');
  const names = [...declared.slice(declared.indexOf('\nOutputs:')).matchAll(/^  (\w+): \{/gm)].map(([, name]) => name);

  const settings = settingsFromOutputs(Object.fromEntries(names.map((name) => [name, `value of ${name}`])));

  assert.equal(names.length, 6); // the last is of deployments
  assert.deepEqual(settings, {
    SLUICE_LOCAL_DIR: '',
    SLUICE_BUCKET: 'value of UploadBucketName',
    SLUICE_LEDGER_TABLE: 'value of LedgerTableName',
    SLUICE_CONTROL_TABLE: 'value of ControlTableName',
    SLUICE_WORK_QUEUE_URL: 'value of WorkQueueUrl',
    SLUICE_PARKED_QUEUE_URL: 'value of ParkedQueueUrl',
  });
});
