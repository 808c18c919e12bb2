'use strict';

const path = require('node:path');

/** Where the clouds' libraries look for a real account. */
const CREDENTIALS = [
  ...['AWS_PROFILE', 'AWS_DEFAULT_PROFILE', 'AWS_SESSION_TOKEN'],
  'GOOGLE_APPLICATION_CREDENTIALS',
  ...['IDENTITY_ENDPOINT', 'IDENTITY_HEADER', 'MSI_ENDPOINT', 'MSI_SECRET'],
];

/** Takes the place of what they would find on their own. */
const NO_ACCOUNT = {
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  CLOUDSDK_CONFIG: '/nonexistent', // the login of gcloud
  NO_GCE_CHECK: 'true', // a metadata server
};

/**
 * Environment for running Python here, on the embedded store.
 *
 * SLUICE_LOCAL_DIR may be set beforehand: to another folder, or to nothing to work on the cloud's own services.
 * @param {string} serviceDir
 * @param {string} cloud
 * @param {Record<string, string | undefined>} env
 */
function localEnvironment(serviceDir, cloud, env) {
  return {
    SLUICE_CLOUD: cloud,
    SLUICE_LOCAL_DIR: env.SLUICE_LOCAL_DIR ?? path.join(serviceDir, '.sluice'),
    VIRTUAL_ENV: path.join(serviceDir, '.venv'), // `sls invoke local` takes its Python from there
  };
}

/**
 * An environment without the values that only a deployed stack knows ({Ref: …}). The framework would ask the cloud for them.
 * @param {Record<string, unknown> | undefined} environment
 */
function withoutReferences(environment = {}) {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => typeof value !== 'object'));
}

module.exports = { CREDENTIALS, NO_ACCOUNT, localEnvironment, withoutReferences };
