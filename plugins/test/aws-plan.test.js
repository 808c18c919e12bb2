'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { withStaticNames } = require('../aws/adopt');
const { reasonsOf } = require('../aws/failure');
const { planStack, stepsOf, withDeployedCode } = require('../aws/plan');
const { renamePlan } = require('../lib/command-line');
const { describe } = require('../lib/converge');
const Sluice = require('../sluice');

const CHANGE_SET = { ChangeSetName: 'arn:plan', StackName: 'arn:stack' };

/** A change as CloudFormation tells it. */
const change = (Action, LogicalResourceId, more = {}) => ({
  ResourceChange: { Action, ResourceType: 'AWS::SQS::Queue', LogicalResourceId, ...more },
});

const property = (Name, Evaluation = 'Static') => ({ Target: { Attribute: 'Properties', Name }, Evaluation });

/** Answers of CloudFormation by command; what was asked is kept. */
function makeClient(answers) {
  const asked = [];
  const send = async ({ constructor: { name }, input }) => {
    asked.push([name.replace('Command', ''), input]);
    const answer = answers[name.replace('Command', '')]?.shift() ?? {};
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { send, asked };
}

const CREATED = { Id: CHANGE_SET.ChangeSetName, StackId: CHANGE_SET.StackName };
const parameters = { StackName: 'sluice-dev', ChangeSetName: 'plan-1', TemplateBody: '{}' };

test('each change is a line that says what is done, to what, and which properties', () => {
  const changes = [
    change('Add', 'New'),
    change('Modify', 'Same', { Replacement: 'False', Details: [property('A'), property('A'), { Target: { Attribute: 'Tags' } }] }),
    change('Modify', 'Other', { Replacement: 'True', Details: [property('QueueName')] }),
    change('Modify', 'Unsure', { Replacement: 'Conditional', Details: [property('A', 'Dynamic'), property('B', 'Dynamic'), property('B')] }),
    change('Remove', 'Old', { PhysicalResourceId: 'q', PolicyAction: 'Delete' }),
    change('Import', 'Left', { PhysicalResourceId: 's' }),
    change('Remove', 'Kept', { PhysicalResourceId: 'r', PolicyAction: 'Retain' }),
  ];

  assert.deepEqual(stepsOf(changes).map(describe), [
    'would create AWS::SQS::Queue New',
    'would update AWS::SQS::Queue Same: A, Tags',
    'would replace AWS::SQS::Queue Other: QueueName',
    'would update AWS::SQS::Queue Unsure: perhaps A, B, perhaps by replacement',
    'would remove AWS::SQS::Queue Old',
    'would adopt AWS::SQS::Queue Left',
    'would remove AWS::SQS::Queue Kept: r itself is kept',
  ]);
});

test('a plan waits for the change set, reads all pages of it, deletes it, and executes nothing', async () => {
  const pages = [{ Status: 'CREATE_IN_PROGRESS' }, { Status: 'CREATE_COMPLETE', Changes: [change('Add', 'A')], NextToken: 't' }, { Changes: [change('Add', 'B')] }];
  const client = makeClient({ CreateChangeSet: [CREATED], DescribeChangeSet: pages });

  const steps = await planStack({ client, parameters, isNew: false, everyMs: 1 });

  assert.deepEqual(steps.map(({ resource }) => resource.title), ['AWS::SQS::Queue A', 'AWS::SQS::Queue B']);
  assert.deepEqual(client.asked, [
    ['CreateChangeSet', { ...parameters, ChangeSetType: 'UPDATE' }],
    ['DescribeChangeSet', { ...CHANGE_SET, NextToken: undefined }],
    ['DescribeChangeSet', { ...CHANGE_SET, NextToken: undefined }],
    ['DescribeChangeSet', { ...CHANGE_SET, NextToken: 't' }],
    ['DeleteChangeSet', CHANGE_SET],
  ]);
});

test('the stack that a plan of a new one leaves is removed, also when the plan fails', async () => {
  const failed = { Status: 'FAILED', StatusReason: 'Circular dependency' };
  const empty = { Stacks: [{ StackStatus: 'REVIEW_IN_PROGRESS' }] };
  const client = makeClient({ CreateChangeSet: [CREATED], DescribeChangeSet: [failed], DescribeStacks: [empty] });

  await assert.rejects(planStack({ client, parameters, isNew: true }), /^Error: Circular dependency$/);

  const { StackName } = CHANGE_SET;
  assert.deepEqual(client.asked.slice(-3), [['DeleteChangeSet', CHANGE_SET], ['DescribeStacks', { StackName }], ['DeleteStack', { StackName }]]);
});

test('a stack that somebody deployed while it was planned stays', async () => {
  const planned = { Status: 'CREATE_COMPLETE', Changes: [change('Add', 'A')] };
  const deploying = { Stacks: [{ StackStatus: 'CREATE_IN_PROGRESS' }] };
  const client = makeClient({ CreateChangeSet: [CREATED], DescribeChangeSet: [planned], DescribeStacks: [deploying] });

  await planStack({ client, parameters, isNew: true });

  assert.deepEqual(client.asked.filter(([command]) => command === 'DeleteStack'), []);
});

test('a change set that fails because nothing differs is a plan that keeps the stack', async () => {
  const failed = { Status: 'FAILED', StatusReason: "The submitted information didn't contain changes. Submit different information" };
  const client = makeClient({ CreateChangeSet: [CREATED], DescribeChangeSet: [failed] });

  const steps = await planStack({ client, parameters, isNew: false });

  assert.deepEqual(steps.map(describe), ['would keep stack sluice-dev']);
});

test('a template that is too large is refused before anything is asked', async () => {
  const client = makeClient({});

  await assert.rejects(planStack({ client, parameters: { ...parameters, TemplateBody: 'x'.repeat(51_201) }, isNew: false }), /51201 bytes.*--template-url/);

  assert.deepEqual(client.asked, []);
});

test('functions keep the deployed code where the package has the same bytes', async () => {
  const code = (S3Key) => ({ Type: 'AWS::Lambda::Function', Properties: { Timeout: 1, Code: { S3Bucket: { Ref: 'B' }, S3Key } } });
  const template = { Resources: { A: code('new'), B: code('new'), C: code('new'), Q: { Type: 'AWS::SQS::Queue' } } };
  const deployed = { Resources: { A: code('same'), B: code('other') } };

  const { Resources } = await withDeployedCode(template, deployed, async (key) => key === 'same');

  assert.deepEqual(Resources, { ...template.Resources, A: code('same') });
});

test('names of what is kept are written out, and nothing else is', () => {
  const name = { 'Fn::Sub': 'uploads-${AWS::AccountId}-${AWS::Region}-${Other}' };
  const bucket = (DeletionPolicy, Tags) => ({ Type: 'AWS::S3::Bucket', DeletionPolicy, Properties: { BucketName: name, Tags } });
  const resources = { Kept: bucket('Retain', name), Removed: bucket('Delete'), Generated: { DeletionPolicy: 'Retain', Properties: {} } };

  const written = withStaticNames(resources, { 'AWS::AccountId': '1', 'AWS::Region': 'r' });

  assert.equal(written.Kept.Properties.BucketName, 'uploads-1-r-${Other}');
  assert.deepEqual(written.Kept.Properties.Tags, name);
  assert.deepEqual([written.Removed, written.Generated], [resources.Removed, resources.Generated]);
});

test('deploy --plan becomes a command of its own, and nothing else does', () => {
  const cases = [
    ['deploy --plan', 'deploy plan'],
    ['deploy --cloud aws --plan -s prod', 'deploy plan --cloud aws -s prod'],
    ['deploy', 'deploy'],
    ['deploy function --plan', 'deploy function --plan'],
    ['remove --plan', 'remove --plan'],
  ];

  for (const [typed, expected] of cases) assert.equal(renamePlan(typed.split(' ')).join(' '), expected);
});

test('the reasons of a failure are those of the newest operation', () => {
  const event = (OperationId, Timestamp, LogicalResourceId) => ({
    ...{ OperationId, Timestamp, LogicalResourceId },
    ...{ ValidationStatus: 'FAILED', ValidationStatusReason: 'It exists.' },
  });
  const stack = { OperationId: '2', Timestamp: '2026-11-25T04:00:00Z', OperationStatus: 'FAILED' };

  const reasons = reasonsOf([event('1', '2026-11-25T01:00:00Z', 'Old'), stack, event('2', '2026-11-25T03:00:00Z', 'A'), event('2', '2026-11-25T03:00:01Z', 'B')]);

  assert.deepEqual(reasons, ['A: It exists', 'B: It exists']);
  assert.deepEqual(reasonsOf([]), []);
});

/** The plugin before a command on AWS. */
function beforeCommand(command, options) {
  class Refusal extends Error {}
  const serverless = { processedInput: { commands: [command] }, service: { custom: { cloud: 'aws' }, provider: {} }, classes: { Error: Refusal } };
  return () => new Sluice(serverless, options, {}).hooks.initialize();
}

test('a deployment to AWS that still has --plan is refused', () => {
  assert.throws(beforeCommand('deploy', { plan: true }), /The plan did not take the place of the deployment/);
  assert.doesNotThrow(beforeCommand('deploy', {}));
});

test('a removal from AWS that should remove data is told how, and removes nothing', () => {
  assert.throws(beforeCommand('remove', { force: true }), /AWS knows no --force: .*data_deletion_policy=Delete/);
  assert.doesNotThrow(beforeCommand('remove', {}));
});
