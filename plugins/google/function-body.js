'use strict';

// What the Cloud Functions API is told of a function.

const { PACKAGE_LABEL } = require('./functions');
const { CONTROL, LEDGER } = require('./storage');

const MAX_CONCURRENCY = 100;

/**
 * A "Function" (Cloud Functions API), but for its source.
 * @param {import('./names').Names} names
 * @param {object} of
 * @param {string} of.name  In serverless.yml.
 * @param {object} of.config  What stands there.
 * @param {object} of.provider  Likewise.
 * @param {string} of.target  In main.py.
 * @param {string} of.builder  The account that builds.
 * @param {string} [of.label]  Of the package.
 * @param {Record<string, string>} of.places
 * @param {object[]} of.secrets
 */
function functionBody(names, { name, config, provider, target, builder, label, places, secrets }) {
  const perInstance = config.requests_per_instance ?? 1;
  return {
    environment: 'GEN_2',
    description: config.description ?? '',
    labels: { ...names.labels, ...(label ? { [PACKAGE_LABEL]: label } : {}) },
    buildConfig: {
      runtime: provider.runtime,
      entryPoint: target,
      serviceAccount: `${names.inProject}/serviceAccounts/${builder}`,
    },
    serviceConfig: {
      availableMemory: `${config.memory_mib ?? provider.memory_mib}Mi`,
      // A part of a CPU serves one request at a time ("ServiceConfig", Cloud Functions API).
      ...(perInstance > 1 ? { availableCpu: '1' } : {}),
      timeoutSeconds: config.timeout_s,
      maxInstanceCount: Math.ceil((config.max_concurrency ?? MAX_CONCURRENCY) / perInstance),
      maxInstanceRequestConcurrency: perInstance,
      environmentVariables: { ...places, ...variables({ ...provider.environment, ...config.environment }) },
      secretEnvironmentVariables: secrets,
      ingressSettings: 'ALLOW_ALL', // `sls invoke` calls from outside; who may call is IAM's business
      serviceAccountEmail: names.account(name),
      allTrafficOnLatestRevision: true,
    },
  };
}

/** Texts; what is empty is not set, which means the same to the functions. */
function variables(declared) {
  const texts = Object.entries(declared).map(([name, value]) => [name, String(value)]);
  return Object.fromEntries(texts.filter(([, value]) => value !== ''));
}

/** Where everything stands, as handlers/gcp.py reads it. */
function placesOf(names, { work, parked }) {
  return {
    GOOGLE_CLOUD_PROJECT: names.project,
    SLUICE_BUCKET: names.bucket,
    SLUICE_LEDGER_DATABASE: names.database,
    SLUICE_LEDGER_COLLECTION: LEDGER,
    SLUICE_CONTROL_COLLECTION: CONTROL,
    SLUICE_WORK_TOPIC: names.queue(work),
    SLUICE_WORK_SUBSCRIPTION: names.queue(work),
    SLUICE_PARKED_TOPIC: names.queue(parked),
    SLUICE_PARKED_SUBSCRIPTION: names.queue(parked),
  };
}

module.exports = { functionBody, placesOf };
