'use strict';

// Brings what stands in a cloud to what is declared. Nothing is remembered between two runs: each looks at the cloud, so a
// deployment that broke off is finished by the next one, and one without a change changes nothing.

/**
 * One thing of a deployment. Later ones may need what `read` or `create` of earlier ones found out.
 * @typedef {object} Resource
 * @property {string} title  As people know it: "bucket sluice-dev-uploads".
 * @property {() => Promise<object | null>} read  What stands, or null.
 * @property {() => Promise<void>} create
 * @property {(live: object) => string[]} [differences]  What differs from the declaration, by name; none without it.
 * @property {(live: object, names: string[]) => Promise<void>} [update]
 * @property {(live: object, how: {force: boolean}) => Promise<void>} [remove]  Without it, it goes with another resource, or stays.
 * @property {(live: object) => Promise<string>} [whyKept]  Why it is removed with --force only: "it holds files"; '' if not.
 */

/**
 * The last three are of AWS's own plans only (plugins/aws/plan.js).
 * @typedef {'create' | 'update' | 'keep' | 'remove' | 'replace' | 'adopt'} Action
 * @typedef {{resource: Resource, action: Action, names: string[], live: object | null}} Step
 */

/**
 * What is to be done for one resource.
 * @param {Resource} resource
 * @returns {Promise<Step>}
 */
async function decide(resource) {
  const live = await resource.read();
  if (live === null) return { resource, action: 'create', names: [], live };
  const names = resource.differences?.(live) ?? [];
  return { resource, action: names.length ? 'update' : 'keep', names, live };
}

/**
 * What a deployment would do, without doing it.
 * @param {Resource[]} resources
 * @returns {Promise<Step[]>}
 */
async function plan(resources) {
  const steps = [];
  for (const resource of resources) steps.push(await decide(resource));
  return steps;
}

/**
 * Create and update what differs, in order.
 * @param {Resource[]} resources
 * @param {(step: Step) => void} tell  Called after each step.
 * @returns {Promise<number>} How many were changed.
 */
async function converge(resources, tell) {
  let changedCount = 0;
  for (const resource of resources) {
    const step = await decide(resource);
    if (step.action === 'create') await resource.create();
    if (step.action === 'update') await resource.update(step.live, step.names);
    if (step.action !== 'keep') changedCount += 1;
    tell(step);
  }
  return changedCount;
}

/**
 * Remove what stands, the last first. Before anything is removed, all are asked whether they should be kept.
 * @param {Resource[]} resources
 * @param {{force: boolean, tell: (resource: Resource) => void, refuse: (message: string) => never}} how
 * @returns {Promise<number>} How many were removed.
 */
async function removeAll(resources, { force, tell, refuse }) {
  const standing = [];
  const reasons = [];
  for (const resource of resources.filter(({ remove }) => remove)) {
    const live = await resource.read();
    if (live === null) continue;
    standing.unshift({ resource, live });
    const reason = force ? '' : await resource.whyKept?.(live);
    if (reason) reasons.push(`${resource.title}: ${reason}`);
  }
  if (reasons.length) refuse(`Nothing was removed. ${reasons.join('; ')}. With --force it is removed all the same.`);
  for (const { resource, live } of standing) {
    await resource.remove(live, { force });
    tell(resource);
  }
  return standing.length;
}

/** A step in a line: "would update function sluice-dev-api: memory, environment". */
function describe({ action, resource, names }) {
  return `would ${action} ${resource.title}${names.length ? `: ${names.join(', ')}` : ''}`;
}

module.exports = { converge, describe, plan, removeAll };
