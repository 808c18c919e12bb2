'use strict';

/** Outputs of the stack (providers/aws/storage.yml) by the setting that Python reads. */
const OUTPUT_OF = {
  SLUICE_BUCKET: 'UploadBucketName',
  SLUICE_LEDGER_TABLE: 'LedgerTableName',
  SLUICE_CONTROL_TABLE: 'ControlTableName',
  SLUICE_WORK_QUEUE_URL: 'WorkQueueUrl',
  SLUICE_PARKED_QUEUE_URL: 'ParkedQueueUrl',
};

/**
 * The functions' settings, from the outputs of a deployed stack.
 * @param {Record<string, string>} valueOf  By the output's key.
 */
function settingsFromOutputs(valueOf) {
  const settings = Object.entries(OUTPUT_OF).map(([setting, output]) => [setting, valueOf[output]]);
  return { SLUICE_LOCAL_DIR: '', ...Object.fromEntries(settings) };
}

module.exports = { settingsFromOutputs };
