'use strict';

// What providers/gcp/serverless.yml may say.

const { ENVIRONMENT, HTTP, between, exactly, matching } = require('../lib/schema');
const { HANDLERS } = require('./functions');

const MEMORY = between(128, 32768); // "Configure memory limits" (Cloud Run documentation)
const CRON = matching(/^(\S+ ){4}\S+$/); // "Cron job format and time zone" (Cloud Scheduler documentation)
const TIMEOUT = between(3, 540); // of functions that events call ("Quotas", Cloud Run functions documentation)
// "projects.secrets.create" (Secret Manager API)
const SECRETS = { type: 'object', additionalProperties: matching(/^[\w-]{0,255}$/) };

const provider = {
  properties: {
    runtime: { enum: ['python313'] }, // requirements.lock is made for it
    region: matching(/^[a-z]+-[a-z]+[0-9]+$/),
    project: matching(/^([a-z][a-z0-9-]{4,28}[a-z0-9])?$/), // "Project", Resource Manager API; only a deployment needs it
    memory_mib: MEMORY,
    environment: ENVIRONMENT,
    secrets: SECRETS,
    multipart_days: between(8, 365), // a ticket for an upload in parts is good for seven days
    data_deletion_policy: { enum: ['Retain', 'Delete'] },
    ledger_deletion_protection: { type: 'boolean' },
  },
  required: ['runtime', 'region', 'memory_mib', 'multipart_days', 'data_deletion_policy', 'ledger_deletion_protection'],
};

const functions = {
  properties: {
    handler: { enum: Object.keys(HANDLERS) },
    description: { type: 'string' },
    timeout_s: TIMEOUT,
    memory_mib: MEMORY,
    max_concurrency: between(1, 1000),
    requests_per_instance: between(1, 1000),
    environment: ENVIRONMENT,
    secrets: SECRETS,
  },
  required: ['handler', 'events', 'timeout_s'],
};

const functionEvents = {
  pubsub: exactly({
    topic: matching(/^[A-Za-z][\w.~+%-]{2,100}$/), // "Resource names" (Pub/Sub documentation); the service's name comes before it
    max_delivery_count: between(5, 100), // "DeadLetterPolicy", Pub/Sub API
  }),
  http: HTTP,
  schedule: exactly({ cron: CRON }),
};

module.exports = { provider, function: functions, functionEvents };
