'use strict';

// `sls deploy --plan` on AWS: CloudFormation itself says what it would do, in a change set that is never executed.

const { readFile } = require('node:fs/promises');
const { createHash } = require('node:crypto');
const { waitFor } = require('../lib/control-plane');
const { frameworksDeployment } = require('./adopt');

const DONE = ['CREATE_COMPLETE', 'FAILED']; // of a change set that is being computed ("DescribeChangeSet", API reference)
const NOTHING = /didn't contain changes|No updates are to be performed/; // FAILED, too: there is nothing to do
const TEMPLATE_MAX_BYTES = 51_200; // of a template that is sent along ("CloudFormation quotas", user guide)

/**
 * What a deployment would do, by a change set that is deleted again. A stack that does not stand yet is there meanwhile, without
 * resources (REVIEW_IN_PROGRESS), and is removed with it.
 * @param {object} aws
 * @param {import('@aws-sdk/client-cloudformation').CloudFormationClient} aws.client
 * @param {object} aws.parameters  Of the change set, as the framework makes them, with its `TemplateBody`.
 * @param {boolean} aws.isNew  No stack of that name stands.
 * @param {number} [aws.everyMs]  Between two looks.
 * @returns {Promise<import('../lib/converge').Step[]>}
 * @throws {Error} AWS refuses; the message is its own.
 */
async function planStack({ client, parameters, isNew, everyMs = 1_000 }) {
  checkSize(parameters.TemplateBody);
  const { CreateChangeSetCommand, DeleteChangeSetCommand } = require('@aws-sdk/client-cloudformation');
  const type = isNew ? 'CREATE' : 'UPDATE';
  const made = await client.send(new CreateChangeSetCommand({ ...parameters, ChangeSetType: type }));
  const changeSet = { ChangeSetName: made.Id, StackName: made.StackId };
  try {
    const steps = stepsOf(await readChanges(client, changeSet, everyMs));
    const stack = { title: `stack ${parameters.StackName}` };
    return steps.length ? steps : [{ action: 'keep', resource: stack, names: [], live: {} }];
  } finally {
    await client.send(new DeleteChangeSetCommand(changeSet));
    if (isNew) await removeEmptyStack(client, made.StackId);
  }
}

/** Remove the stack that a plan made, unless somebody deployed into it meanwhile. */
async function removeEmptyStack(client, StackName) {
  const { DeleteStackCommand, DescribeStacksCommand } = require('@aws-sdk/client-cloudformation');
  const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
  if (Stacks[0]?.StackStatus === 'REVIEW_IN_PROGRESS') await client.send(new DeleteStackCommand({ StackName }));
}

function checkSize(template) {
  const sizeBytes = Buffer.byteLength(template);
  if (sizeBytes <= TEMPLATE_MAX_BYTES) return;
  throw new Error(
    `the template has ${sizeBytes} bytes, and CloudFormation plans ${TEMPLATE_MAX_BYTES} without a bucket. ` +
      'Plan it by hand: put .serverless/cloudformation-template-update-stack.json into a bucket of yours, ' +
      'and run "aws cloudformation create-change-set --template-url …".',
  );
}

/** All changes, of all pages; none where nothing differs. */
async function readChanges(client, changeSet, everyMs) {
  const { DescribeChangeSetCommand } = require('@aws-sdk/client-cloudformation');
  const describe = (NextToken) => client.send(new DescribeChangeSetCommand({ ...changeSet, NextToken }));
  const look = async () => {
    const told = await describe();
    return DONE.includes(told.Status) ? told : undefined;
  };
  let page = await waitFor(look, { what: 'the change set', forMs: 300_000, everyMs });
  if (page.Status === 'FAILED' && NOTHING.test(page.StatusReason)) return [];
  if (page.Status === 'FAILED') throw new Error(page.StatusReason);
  const changes = [...(page.Changes ?? [])];
  while (page.NextToken) {
    page = await describe(page.NextToken);
    changes.push(...page.Changes);
  }
  return changes;
}

const ACTIONS = { Add: 'create', Modify: 'update', Remove: 'remove', Import: 'adopt' };

/**
 * CloudFormation's changes as steps.
 * @param {{ResourceChange: object}[]} changes  As in "ResourceChange" (API reference).
 * @returns {import('../lib/converge').Step[]}
 */
function stepsOf(changes) {
  return changes.map(({ ResourceChange: change }) => {
    const { Action, ResourceType, LogicalResourceId, PhysicalResourceId, Replacement, PolicyAction } = change;
    const isReplaced = Action === 'Modify' && Replacement === 'True';
    const kept = /Retain/.test(PolicyAction ?? '') ? [`${PhysicalResourceId} itself is kept`] : [];
    const perhaps = Replacement === 'Conditional' ? ['perhaps by replacement'] : [];
    return {
      action: isReplaced ? 'replace' : (ACTIONS[Action] ?? 'update'),
      resource: { title: `${ResourceType} ${LogicalResourceId}` },
      names: [...namesOf(change), ...perhaps, ...kept],
      live: PhysicalResourceId ? { id: PhysicalResourceId } : null,
    };
  });
}

/** Which properties change, or which other attributes: "Tags"; with "perhaps" what hangs on another resource's own change. */
function namesOf({ Action, Details = [] }) {
  if (Action !== 'Modify') return [];
  const isCertain = {};
  for (const { Target, Evaluation } of Details) isCertain[Target.Name || Target.Attribute] ||= Evaluation !== 'Dynamic';
  return Object.entries(isCertain).map(([name, certain]) => (certain ? name : `perhaps ${name}`));
}

/**
 * A template whose functions keep the code that is deployed, where it is the same: each package is uploaded under a new name, so
 * that every function would seem to change.
 * @param {object} template  To be deployed.
 * @param {object} deployed  The stack's own.
 * @param {(key: string) => Promise<boolean>} isSameCode  Whether the object of that name holds the bytes of the package.
 */
async function withDeployedCode(template, deployed, isSameCode) {
  const known = {};
  const resources = { ...template.Resources };
  for (const [id, resource] of Object.entries(resources)) {
    const key = deployed.Resources?.[id]?.Properties?.Code?.S3Key;
    if (resource.Type !== 'AWS::Lambda::Function' || !key) continue;
    known[key] ??= await isSameCode(key);
    if (!known[key]) continue;
    const code = { ...resource.Properties.Code, S3Key: key };
    resources[id] = { ...resource, Properties: { ...resource.Properties, Code: code } };
  }
  return { ...template, Resources: resources };
}

/** Plan the framework's own deployment of a service that is packaged. */
async function planService(serverless) {
  const { DescribeStacksCommand, GetTemplateCommand } = require('@aws-sdk/client-cloudformation');
  const provider = serverless.getProvider('aws');
  const deploying = frameworksDeployment(serverless);
  const client = await provider.getCloudFormationClient();
  const StackName = provider.naming.getStackName();
  const { Stacks } = await client.send(new DescribeStacksCommand({ StackName })).catch((error) => {
    if (isMissingStack(error)) return { Stacks: [] };
    throw error;
  });
  let template = serverless.service.provider.compiledCloudFormationTemplate;
  if (Stacks[0]?.StackStatus === 'REVIEW_IN_PROGRESS') {
    throw new Error('another plan or deployment is at work on it, or broke off: wait, or clear it with "sls remove"');
  }
  if (Stacks.length) {
    const { TemplateBody } = await client.send(new GetTemplateCommand({ StackName, TemplateStage: 'Original' }));
    const zip = await readFile(`${serverless.serviceDir}/.serverless/${provider.naming.getServiceArtifactName()}`);
    template = await withDeployedCode(template, JSON.parse(TemplateBody), await comparing(deploying, zip));
  }
  const parameters = deploying.getCreateChangeSetParams({ changeSetType: 'UPDATE', templateBody: template });
  parameters.ChangeSetName = `plan-${Date.now()}`; // the framework's own has one name, which a deployment at work may hold
  return planStack({ client, parameters, isNew: Stacks.length === 0 });
}

/** Whether an object in the deployment bucket is this zip. The framework keeps the hash of what it uploads beside it. */
async function comparing(deploying, zip) {
  const hash = createHash('sha256').update(zip).digest('base64');
  await deploying.setBucketName();
  return async (Key) => {
    const [{ Metadata }] = await deploying.getObjectMetadata([{ Key }]).catch((error) => {
      if (error.$metadata?.httpStatusCode === 404) return [{}];
      throw error;
    });
    return Metadata?.filesha256 === hash;
  };
}

/** AWS has no code of its own for it. */
const isMissingStack = (error) => error.name === 'ValidationError' && /does not exist/.test(error.message);

module.exports = { isMissingStack, planService, planStack, stepsOf, withDeployedCode };
