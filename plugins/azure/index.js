'use strict';

// The provider `azure`: Azure Functions on the Flex Consumption plan, which installs Python's packages itself ("remote build").

const { makeProviderPlugin } = require('../lib/provider-plugin');
const { ENVIRONMENT, HTTP, between, exactly, matching } = require('../lib/schema');

const schema = {
  provider: {
    properties: {
      runtime: { enum: ['python3.13'] }, // requirements.lock is made for it
      region: matching(/^[a-z]+[0-9]?$/),
      memory_mib: matching(/^(512|2048|4096)$/), // "Flex Consumption plan", instance sizes
      timeout_s: between(3, 600), // a message is locked for ten minutes
      subscription: { type: 'string', regexp: /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$/i.toString() }, // '' until deployment
      log_days: between(30, 730), // "Configure data retention", Log Analytics
      data_deletion_policy: { enum: ['Retain', 'Delete'] },
      secrets: { type: 'object', additionalProperties: matching(/^[0-9a-zA-Z-]{0,127}$/) }, // "Key Vault object identifier"
      environment: ENVIRONMENT,
    },
    required: ['runtime', 'region', 'timeout_s'],
  },
  function: {
    properties: {
      handler: { enum: ['handlers/azure.process', 'handlers/azure.watch', 'handlers/api.app'] }, // what providers/azure/package.py exports
      description: { type: 'string' },
      max_concurrency: between(1, 1000),
      environment: ENVIRONMENT,
    },
    required: ['handler', 'events'],
  },
  functionEvents: {
    queue: exactly({
      name: matching(/^[a-z0-9](-?[a-z0-9]){2,62}$/), // "Naming Queues and Metadata" (Azure Storage documentation)
      batch_count: between(1, 32), // "host.json", queues.batchSize
    }),
    timer: exactly({ schedule: { enum: ['0 * * * * *'] } }), // each minute: handlers/azure_app.py says so, and this shows it
    http: HTTP,
  },
};

/** What host.json says. It is of the whole app, so that the first queue speaks for all. */
function packageSettings({ functions, provider }) {
  const [queue] = Object.values(functions).flatMap(({ events }) => events.flatMap((event) => event.queue ?? []));
  return { timeout_s: provider.timeout_s, batch_count: queue?.batch_count ?? 1 };
}

/** Slow to load, so only where a command is about a deployment. */
function makeDeployment(serverless) {
  const { AzureDeployment } = require('./deployment');
  return new AzureDeployment(serverless);
}

module.exports = makeProviderPlugin({ name: 'azure', title: 'Azure', schema, packageSettings, makeDeployment });
