'use strict';

// The provider `google`: Cloud Run functions, which Google builds from the package with its buildpack for Python.

const { makeProviderPlugin } = require('../lib/provider-plugin');
const { ENVIRONMENT, HTTP, between, exactly, matching } = require('../lib/schema');

const MEMORY = between(128, 32768); // "Configure memory limits" (Cloud Run documentation)
const CRON = matching(/^(\S+ ){4}\S+$/); // "Cron job format and time zone" (Cloud Scheduler documentation)
const TIMEOUT = between(3, 540); // of functions that events call ("Quotas", Cloud Run functions documentation)

const schema = {
  provider: {
    properties: {
      runtime: { enum: ['python313'] }, // requirements.lock is made for it
      region: matching(/^[a-z]+-[a-z]+[0-9]+$/),
      memory_mib: MEMORY,
      environment: ENVIRONMENT,
    },
    required: ['runtime', 'region'],
  },
  function: {
    properties: {
      handler: { enum: ['handlers/gcp.process', 'handlers/api.app', 'handlers/gcp.watch'] }, // what providers/gcp/package.py exports
      description: { type: 'string' },
      timeout_s: TIMEOUT,
      memory_mib: MEMORY,
      max_concurrency: between(1, 1000),
      environment: ENVIRONMENT,
    },
    required: ['handler', 'events'],
  },
  functionEvents: {
    pubsub: exactly({ topic: matching(/^[A-Za-z][\w.~+%-]{2,254}$/) }), // "Resource names" (Pub/Sub documentation)
    http: HTTP,
    schedule: exactly({ cron: CRON }),
  },
};

module.exports = makeProviderPlugin({ name: 'google', title: 'Google Cloud', schema, packageSettings: () => ({}) });
