'use strict';

// What an earlier removal kept, or a creation that broke off left, would make every further deployment fail: it stands under the
// name that the template wants. CloudFormation takes it into the stack if it is told to, and if the name is a plain text
// ("Import AWS resources into a CloudFormation stack automatically", CloudFormation user guide).

const NAMES = ['BucketName', 'TableName'];

/**
 * Write out the names of resources that are kept.
 * @param {Record<string, object>} resources  Of a template.
 * @param {Record<string, string>} values  By pseudo parameter: 'AWS::Region'.
 */
function withStaticNames(resources, values) {
  const isSub = (value) => typeof value?.['Fn::Sub'] === 'string';
  const write = ({ 'Fn::Sub': text }) => text.replace(/\$\{([^}]+)\}/g, (whole, name) => values[name] ?? whole);
  const renamed = ([id, resource]) => {
    if (resource.DeletionPolicy !== 'Retain') return [id, resource];
    const names = NAMES.filter((name) => isSub(resource.Properties?.[name]));
    const written = Object.fromEntries(names.map((name) => [name, write(resource.Properties[name])]));
    return [id, { ...resource, Properties: { ...resource.Properties, ...written } }];
  };
  return Object.fromEntries(Object.entries(resources).map(renamed));
}

/** The framework's own deployment to AWS. */
const frameworksDeployment = ({ pluginManager }) => pluginManager.plugins.find((plugin) => plugin.constructor.name === 'AwsDeploy');

/** Let the deployment of a service that is packaged take over what stands, and is in no stack. */
async function adoptWhatStands(serverless) {
  const provider = serverless.getProvider('aws');
  const template = serverless.service.provider.compiledCloudFormationTemplate;
  const values = { 'AWS::AccountId': await provider.getAccountId(), 'AWS::Region': provider.getRegion() };
  template.Resources = withStaticNames(template.Resources, values);
  const deploying = frameworksDeployment(serverless);
  const inherited = deploying.getCreateChangeSetParams;
  deploying.getCreateChangeSetParams = (...args) => ({ ...inherited.apply(deploying, args), ImportExistingResources: true });
}

module.exports = { adoptWhatStands, frameworksDeployment, withStaticNames };
