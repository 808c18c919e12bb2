// Microsoft's own clients for Node against the fake: they read all that our plugin made, and make the same kinds of things in
// another group, so that the fake's answers, statuses and long-running operations are such as they accept.
//
//     node clients.mjs ENDPOINT TOKEN SUBSCRIPTION GROUP NAMES_AS_JSON
//
// Prints what was read, as JSON. Exits with an error where a client refuses an answer.

import { AuthorizationManagementClient } from '@azure/arm-authorization';
import { EventGridManagementClient } from '@azure/arm-eventgrid';
import { ResourceManagementClient } from '@azure/arm-resources';
import { StorageManagementClient } from '@azure/arm-storage';
import { WebSiteManagementClient } from '@azure/arm-appservice';

const [endpoint, token, subscription, group, namesText] = process.argv.slice(2);
const names = JSON.parse(namesText);
const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
const fast = { updateIntervalInMs: 5 };
const resources = new ResourceManagementClient(credential, subscription, { endpoint });
const storage = new StorageManagementClient(credential, subscription, { endpoint });
const web = new WebSiteManagementClient(credential, subscription, { endpoint });
const grid = new EventGridManagementClient(credential, subscription, { endpoint });
const roles = new AuthorizationManagementClient(credential, subscription, { endpoint });

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

const data = `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/${names.data}`;
const settings = await web.webApps.listApplicationSettings(group, names.site);
const site = await web.webApps.get(group, names.site);
const topic = await grid.systemTopics.get(group, names.topic);
const subscribed = await grid.systemTopicEventSubscriptions.get(group, names.topic, 'uploads');
const read = {
  group: (await resources.resourceGroups.get(group)).tags,
  inGroup: (await all(resources.resources.listByResourceGroup(group))).map(({ type }) => type).sort(),
  account: await storage.storageAccounts.getProperties(group, names.data),
  protection: await storage.blobServices.getServiceProperties(group, names.data),
  container: (await storage.blobContainers.get(group, names.data, 'uploads')).name,
  queue: (await storage.queue.get(group, names.data, 'work')).name,
  table: (await storage.table.get(group, names.data, 'ledger')).tableName,
  rules: (await storage.managementPolicies.get(group, names.data, 'default')).policy.rules.map(({ name }) => name),
  plan: (await web.appServicePlans.get(group, names.plan)).sku,
  site: { functionAppConfig: site.functionAppConfig, identity: Object.keys(site.identity.userAssignedIdentities), host: site.defaultHostName },
  settings: Object.keys(settings.properties).length,
  masterKey: (await web.webApps.listHostKeys(group, names.site)).masterKey,
  topic: topic.identity.type,
  delivery: subscribed.deliveryWithResourceIdentity.destination,
  roles: (await all(roles.roleAssignments.listForScope(`${data}/queueServices/default/queues/work`))).length,
};

const other = 'judged';
const location = 'westeurope';
await resources.resourceGroups.createOrUpdate(other, { location, tags: {} });
const otherAccount = await storage.storageAccounts.create(other, 'judged0data', { sku: { name: 'Standard_LRS' }, kind: 'StorageV2', location }, fast);
await storage.blobServices.setServiceProperties(other, 'judged0data', { isVersioningEnabled: true });
await storage.blobContainers.create(other, 'judged0data', 'uploads', {});
await storage.blobContainers.create(other, 'judged0data', 'deadletters', {});
await storage.queue.create(other, 'judged0data', 'work', {});
await storage.table.create(other, 'judged0data', 'ledger');
const lifecycle = { policy: { rules: [{ name: 'n', type: 'Lifecycle', definition: { actions: {} } }] } };
await storage.managementPolicies.createOrUpdate(other, 'judged0data', 'default', lifecycle);
const plan = { location, kind: 'functionapp', sku: { name: 'FC1', tier: 'FlexConsumption' }, reserved: true };
const otherPlan = await web.appServicePlans.createOrUpdate(other, 'judged-plan', plan, fast);
const identity = { type: 'UserAssigned', userAssignedIdentities: {} };
const app = { location, kind: 'functionapp,linux', serverFarmId: otherPlan.id, identity };
const otherSite = await web.webApps.createOrUpdate(other, 'judged-site', app, fast);
await web.webApps.updateApplicationSettings(other, 'judged-site', { properties: { A: 'b' } });
await web.webApps.updateScmAllowed(other, 'judged-site', { allow: false });
await web.webApps.updateFtpAllowed(other, 'judged-site', { allow: false });
await resources.tagsOperations.beginUpdateAtScopeAndWait(otherSite.id, { operation: 'Merge', properties: { tags: { a: 'b' } } }, fast);
await resources.providers.register('Microsoft.Web');
const topicBody = { location, identity: { type: 'SystemAssigned' }, source: otherAccount.id, topicType: 'Microsoft.Storage.StorageAccounts' };
const otherTopic = await grid.systemTopics.beginCreateOrUpdateAndWait(other, 'judged-topic', topicBody, fast);
const { principalId } = otherTopic.identity;
const grant = async (scope, role, name) => {
  const roleDefinitionId = `/subscriptions/${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role}`;
  await roles.roleAssignments.create(scope, name, { roleDefinitionId, principalId, principalType: 'ServicePrincipal' });
};
const place = `${otherAccount.id}/`;
await grant(`${place}queueServices/default/queues/work`, 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a', '00000000-0000-5000-8000-000000000001');
await grant(`${place}blobServices/default/containers/deadletters`, 'ba92f5b4-2d11-453d-a403-e96b0029c9fe', '00000000-0000-5000-8000-000000000002');
const subscriptionBody = {
  deliveryWithResourceIdentity: {
    identity: { type: 'SystemAssigned' },
    destination: { endpointType: 'StorageQueue', resourceId: otherAccount.id, queueName: 'work' },
  },
  deadLetterWithResourceIdentity: {
    identity: { type: 'SystemAssigned' },
    deadLetterDestination: { endpointType: 'StorageBlob', resourceId: otherAccount.id, blobContainerName: 'deadletters' },
  },
};
const made = await grid.systemTopicEventSubscriptions.beginCreateOrUpdateAndWait(other, 'judged-topic', 'uploads', subscriptionBody, fast);
const madeStates = [otherAccount.provisioningState, otherPlan.provisioningState, otherTopic.provisioningState, made.provisioningState];
await roles.roleAssignments.delete(`${place}queueServices/default/queues/work`, '00000000-0000-5000-8000-000000000001');
await grid.systemTopicEventSubscriptions.beginDeleteAndWait(other, 'judged-topic', 'uploads', fast);
await grid.systemTopics.beginDeleteAndWait(other, 'judged-topic', fast);
await web.webApps.delete(other, 'judged-site');
await web.appServicePlans.delete(other, 'judged-plan');
await storage.storageAccounts.delete(other, 'judged0data');
await resources.resourceGroups.beginDeleteAndWait(other, fast);

console.log(JSON.stringify({ read, madeStates }));
