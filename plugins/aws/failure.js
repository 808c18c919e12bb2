'use strict';

// Why a deployment failed, where CloudFormation's own message only says where to ask.

/**
 * Reasons of the newest operation, by resource.
 * @param {object[]} events  As in "OperationEvent" (CloudFormation API reference), in any order.
 * @returns {string[]}
 */
function reasonsOf(events) {
  const failed = events.filter(({ ValidationStatus }) => ValidationStatus === 'FAILED');
  const [newest] = failed.toSorted((one, other) => new Date(other.Timestamp) - new Date(one.Timestamp));
  return failed
    .filter(({ OperationId }) => OperationId === newest.OperationId)
    .map(({ LogicalResourceId, ValidationStatusReason }) => `${LogicalResourceId}: ${ValidationStatusReason.replace(/\.$/, '')}`);
}

/**
 * Put the reasons in the place of an error's message. It stays as it is where they cannot be read.
 * @param {object} serverless
 * @param {Error} error  Of `sls deploy`.
 */
async function explainFailure(serverless, error) {
  if (!error.message.includes('DescribeEvents')) return;
  const { CloudFormationServiceException, DescribeEventsCommand } = require('@aws-sdk/client-cloudformation');
  const provider = serverless.getProvider('aws');
  const StackName = provider.naming.getStackName();
  const client = await provider.getCloudFormationClient();
  const asked = client.send(new DescribeEventsCommand({ StackName, Filters: { FailedEvents: true } }));
  const { OperationEvents = [] } = await asked.catch((refusal) => {
    if (refusal instanceof CloudFormationServiceException) return {};
    throw refusal;
  });
  const reasons = reasonsOf(OperationEvents);
  if (!reasons.length) return;
  error.message = `Stack "${StackName}" was left as it was. ${reasons.join('; ')}.`;
  error.decoratedMessage = error.message; // the one that the framework prints
}

module.exports = { explainFailure, reasonsOf };
