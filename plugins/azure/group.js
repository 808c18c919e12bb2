'use strict';

// The subscription's part, and the resource group around everything else.

const { ControlPlaneError } = require('../lib/control-plane');
const { armResource } = require('./arm-resource');

const VERSION = '2021-04-01';

/** What our resources belong to; a new subscription knows few of them ("Azure resource providers and types"). */
const NAMESPACES = [
  ...['Microsoft.Storage', 'Microsoft.ManagedIdentity', 'Microsoft.OperationalInsights', 'Microsoft.Insights'],
  ...['Microsoft.KeyVault', 'Microsoft.Web', 'Microsoft.EventGrid'],
];

/** What Application Insights makes on its own in our group ("Smart detection in Application Insights"), in lower case. */
const byAzure = (insights) => [
  'microsoft.insights/actiongroups/application insights smart detection',
  `microsoft.alertsmanagement/smartdetectoralertrules/failure anomalies - ${insights}`.toLowerCase(),
];

/** Registers what is not: without it Azure refuses to create resources. Never undone, as others may use it. */
function registrations({ arm, subscription }) {
  const stateOf = async (namespace) => (await arm.read(`${subscription}/providers/${namespace}`, VERSION)).registrationState;
  const register = async (namespace) => {
    await arm.post(`${subscription}/providers/${namespace}/register`, VERSION);
    await arm.until(`registration of ${namespace}`, async () => (await stateOf(namespace)) === 'Registered');
  };
  return {
    title: 'resource providers of the subscription',
    read: async () => Promise.all(NAMESPACES.map(stateOf)),
    differences: (states) => NAMESPACES.filter((_, index) => states[index] !== 'Registered'),
    update: async (_, missing) => void (await Promise.all(missing.map(register))),
  };
}

/**
 * The resource group. It is removed when nothing is left in it that we did not make.
 * @param {object} scope
 * @param {() => string[]} idsOfOurs  Of what is removed before it: Azure's listing goes on to name that for a while.
 */
function resourceGroup({ arm, group, region, tags, names }, idsOfOurs) {
  const resource = armResource(arm, { title: `resource group ${group.split('/').pop()}`, id: group, version: VERSION, body: { location: region }, tags });
  resource.remove = async () => {
    const ours = [...idsOfOurs().map((id) => id.toLowerCase()), ...byAzure(names.insights).map((path) => `${group}/providers/${path}`.toLowerCase())];
    const left = await arm.list(`${group}/resources`, VERSION);
    const foreign = left.filter(({ id }) => !ours.includes(id.toLowerCase())).map(({ name, type }) => `${name} (${type})`);
    if (foreign.length) throw new ControlPlaneError(`${resource.title} stays, because it holds what is not ours: ${foreign.join(', ')}.`);
    await arm.remove(group, VERSION);
  };
  return resource;
}

module.exports = { registrations, resourceGroup };
