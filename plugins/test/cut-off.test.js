'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { whyCutOff } = require('../lib/cut-off');

/** A service to be deployed to AWS. */
const service = ({ peers = '', alone = false } = {}) => ({
  custom: { cloud: 'aws', alone },
  provider: { stage: 'prod', environment: { SLUICE_PEERS: peers } },
});

const standing = (order) => async () => order;
const notAsked = () => assert.fail('what stands was asked for');

test('a cloud among others that gets no peers is named with those that it loses, and the commands for both intentions', async () => {
  const reason = await whyCutOff(service(), standing('gcp, aws,azure'));

  assert.equal(
    reason,
    'aws would be cut off from gcp, azure, because "peers" is empty. ' +
      'Together: npx sls clouds deploy --only gcp,aws,azure --stage prod. On purpose: --param alone=true.',
  );
});

test('a cloud that stands nowhere, or alone, loses nobody', async () => {
  for (const order of ['', 'aws', ' aws ']) assert.equal(await whyCutOff(service(), standing(order)), '', order);
});

test('with peers, or on purpose, nothing is asked', async () => {
  for (const given of [{ peers: '{"gcp":{}}' }, { alone: true }, { alone: 'true' }]) {
    assert.equal(await whyCutOff(service(given), notAsked), '');
  }
});

test('any other value of the parameter is no purpose', async () => {
  for (const alone of ['false', '', 'yes']) {
    assert.match(await whyCutOff(service({ alone }), standing('aws,gcp')), /^aws would be cut off from gcp/, alone);
  }
});
