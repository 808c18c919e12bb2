'use strict';

// The package on its way into the app: sent, built there (pip installs the locked requirements), and noted by its digest in a tag
// of the app, so that the same package is never sent twice.

const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { ControlPlaneError, waitFor } = require('../lib/control-plane');

const TAG = 'package-sha256';
const TAGS_VERSION = '2021-04-01';
const FOR_MS = 15 * 60_000; // the build included

/** Deployments by number, as the publishing service answers ("Deployment technologies", Kudu's DeployStatus). */
const STATUS = { '-1': 'was cancelled', 3: 'failed', 4: 'done', 5: 'was overtaken by another one', 6: 'succeeded in part only' };

/**
 * @param {import('./arm').Arm} arm
 * @param {{site: object, packagePath: () => string}} parts
 * @returns {import('../lib/converge').Resource}
 */
function code(arm, { site, packagePath }) {
  const content = () => readFileSync(packagePath());
  const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
  const send = async () => {
    const bytes = content();
    await publish(arm, { host: publishingHost(site.live), bytes });
    const tags = { operation: 'Merge', properties: { tags: { [TAG]: digest(bytes) } } };
    await arm.patch(`${site.id}/providers/Microsoft.Resources/tags/default`, TAGS_VERSION, tags);
  };
  return {
    title: 'code of the functions',
    read: async () => (site.live?.tags?.[TAG] ? { sha256: site.live.tags[TAG] } : null),
    create: send,
    differences: ({ sha256 }) => (sha256 === digest(content()) ? [] : ['package']),
    update: send,
  };
}

/** Where the app's packages are sent to. */
function publishingHost({ name, properties }) {
  const found = properties.hostNameSslStates?.find(({ hostType }) => hostType === 'Repository')?.name ?? `${name}.scm.azurewebsites.net`;
  if (!found.endsWith('.azurewebsites.net')) throw new ControlPlaneError(`The app takes packages at ${found}, which is not of Azure.`);
  return found;
}

async function publish(arm, { host, bytes }) {
  const latest = () => arm.plane.ask('GET', `https://${host}/api/deployments/latest`, { missing: null });
  const before = (await latest())?.id;
  const url = `https://${host}/api/publish?RemoteBuild=true&Deployer=sluice`;
  await arm.plane.ask('POST', url, { body: bytes, headers: { 'content-type': 'application/zip', 'cache-control': 'no-cache' } });
  let isSeen = false;
  const look = async () => {
    const found = await latest();
    if (!found) return isSeen ? 'done' : undefined; // it is gone when it is done
    if (found.id === undefined || found.id === before) return undefined;
    isSeen = true;
    const state = STATUS[found.status];
    if (state === undefined || state === 'done') return state;
    const said = `${found.status_text || found.progress || ''}`.replace(/\s+/g, ' ').trim();
    throw new ControlPlaneError(`The package ${state}${said ? `: ${said}` : ''}. Its log: https://${host}/api/deployments/${found.id}/log.`);
  };
  await waitFor(look, { what: 'publishing the package', forMs: FOR_MS, everyMs: arm.everyMs });
}

module.exports = { TAG, code };
