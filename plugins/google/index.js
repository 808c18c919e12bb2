'use strict';

// The provider `google`: Cloud Run functions, which Google builds from the package with its buildpack for Python.

const { makeProviderPlugin } = require('../lib/provider-plugin');
const schema = require('./schema');

/** Loaded when a command is about a deployment. */
function makeDeployment(serverless) {
  const { GoogleDeployment } = require('./deployment');
  return new GoogleDeployment(serverless);
}

const cloud = { name: 'google', title: 'Google Cloud', schema, packageSettings: () => ({}), makeDeployment };

module.exports = makeProviderPlugin(cloud);
