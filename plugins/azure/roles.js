'use strict';

// Who may do what, and where: roles that Azure has built in, at the narrowest place that it allows. All functions of an app
// share one identity, so that `api` may do what `process` may.

const { guidOf } = require('./names');

const VERSION = '2022-04-01';

/** By their ids ("Azure built-in roles"). */
const ROLES = {
  'Storage Blob Data Owner': 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b',
  'Storage Blob Data Contributor': 'ba92f5b4-2d11-453d-a403-e96b0029c9fe',
  'Storage Blob Delegator': 'db58b8e5-c6ad-4a2a-8342-4190687cbf4a',
  'Storage Queue Data Contributor': '974c5e8b-45b9-4653-ba55-5f855dd0fb88',
  'Storage Queue Data Message Sender': 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a',
  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3',
  'Key Vault Secrets User': '4633458b-17de-408a-b874-0445c86b69e6',
  'Key Vault Secrets Officer': 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7',
  'Monitoring Metrics Publisher': '3913510d-42f4-4e42-8a64-420c390055eb',
};

/**
 * A role for somebody at a place. What stands is asked for by principal, role and place: a person may have given it before.
 * @param {{arm: import('./arm').Arm, subscription: string}} scope
 * @param {{role: string, at: {id: string, title: string}, whom: string, principal: () => {principalId?: string, principalType?: string}}} what
 *   principal: without an id while it does not exist.
 * @returns {import('../lib/converge').Resource}
 */
function roleAssignment({ arm, subscription }, { role, at, whom, principal }) {
  const roleDefinitionId = `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${ROLES[role]}`;
  const all = `${at.id}/providers/Microsoft.Authorization/roleAssignments`;
  const nameFor = (principalId) => guidOf(at.id, principalId, ROLES[role]);
  const isIt = ({ properties }) =>
    properties.scope.toLowerCase() === at.id.toLowerCase() && properties.roleDefinitionId.toLowerCase().endsWith(ROLES[role]);
  return {
    title: `role ${role} at ${at.title} for ${whom}`,
    async read() {
      const { principalId } = principal();
      if (!principalId) return null;
      const found = await arm.list(all, VERSION, `&$filter=${encodeURIComponent(`principalId eq '${principalId}'`)}`);
      return found.find(isIt) ?? null;
    },
    async create() {
      const given = principal();
      await arm.put(`${all}/${nameFor(given.principalId)}`, VERSION, { properties: { roleDefinitionId, ...given } });
    },
    async remove(live) {
      if (live.name === nameFor(live.properties.principalId)) await arm.remove(`${all}/${live.name}`, VERSION);
    },
  };
}

/** What the functions need, each at its own part of the account. */
function rolesOfFunctions(scope, { uploads, host, vault, insights, principal }) {
  const { containers, queues, tables } = uploads;
  return [
    ['Storage Blob Data Owner', host.account], // locks, keys and packages
    ['Storage Blob Data Contributor', containers.uploads],
    ['Storage Blob Delegator', uploads.account], // to presign; a URL may do no more than the role above
    ...['work', 'work-poison', 'parked'].map((name) => ['Storage Queue Data Contributor', queues[name]]), // a worker prolongs messages
    ...['ledger', 'control'].map((name) => ['Storage Table Data Contributor', tables[name]]),
    ['Key Vault Secrets User', vault],
    ['Monitoring Metrics Publisher', insights],
  ].map(([role, at]) => roleAssignment(scope, { role, at, whom: 'the functions', principal }));
}

/** What Event Grid needs to deliver without a key ("Event delivery with a managed identity"). */
function rolesOfEvents(scope, { uploads, principal }) {
  return [
    ['Storage Queue Data Message Sender', uploads.queues.work],
    ['Storage Blob Data Contributor', uploads.containers.deadletters],
  ].map(([role, at]) => roleAssignment(scope, { role, at, whom: 'Event Grid', principal }));
}

/** What whoever deploys needs for secrets, for `--deployed`, and to see before a removal whether files are left. */
function rolesOfDeployer(scope, { uploads, vault, principal }) {
  return [
    ['Key Vault Secrets Officer', vault],
    ['Storage Blob Data Contributor', uploads.account],
    ['Storage Queue Data Contributor', uploads.account],
    ['Storage Table Data Contributor', uploads.account],
  ].map(([role, at]) => roleAssignment(scope, { role, at, whom: 'whoever deploys', principal }));
}

module.exports = { ROLES, rolesOfDeployer, rolesOfEvents, rolesOfFunctions };
