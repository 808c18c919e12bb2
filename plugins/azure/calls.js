'use strict';

// Calls of deployed functions, and what they logged.

const { ControlPlaneError } = require('../lib/control-plane');

const TIMEOUT_MS = 240_000; // Azure's load balancer gives up after 230 s ("Function app timeout duration")
const LINE_COUNT = 1000;
const LOGS = 'https://api.loganalytics.azure.com';
const SITE_VERSION = '2025-05-01';

/**
 * Send {method, path, headers, body} to the API; gives {status, headers, body}, whatever the status.
 * @param {import('../lib/control-plane').ControlPlane} plane  Whose emulator is asked, if there is one.
 */
async function callApi(plane, host, { method = 'GET', path, headers = {}, body }) {
  if (typeof path !== 'string') {
    throw new ControlPlaneError('The event of an HTTP function is {"path": "/v1/health"}, and "method", "headers", "body".');
  }
  const url = new URL(path, `https://${host}`);
  if (url.host !== host) throw new ControlPlaneError(`The path "${path}" leads elsewhere than to ${host}.`);
  const target = plane.emulator ? url.href.replace(/^https:\//, plane.emulator) : url.href;
  const answer = await fetch(target, { method, headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((error) => {
    throw new ControlPlaneError(`${host} does not answer: ${error.cause?.message ?? error.message}.`);
  });
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
}

/**
 * Run a function that nobody calls by HTTP, with its trigger's input ("Manually run a non HTTP-triggered function"). Azure
 * answers before it runs: what became of it is in the logs.
 * @param {import('./arm').Arm} arm
 */
async function runFunction(arm, { site, host, name, input }) {
  const { masterKey } = await arm.post(`${site.id}/host/default/listkeys`, SITE_VERSION);
  const headers = { 'x-functions-key': masterKey };
  await arm.plane.ask('POST', `https://${host}/admin/functions/${name}`, { json: { input }, headers, isAnonymous: true });
}

/** The bodies of the messages in a delivery as `sls put` prints it; or the event itself as the only one. */
function messageBodies(event) {
  if (Array.isArray(event?.messages)) return event.messages.map(({ body }) => body);
  return [typeof event === 'string' ? event : JSON.stringify(event)];
}

/**
 * What a function logged, the oldest first.
 * @param {import('../lib/control-plane').ControlPlane} plane  Of the logs.
 * @param {{workspaceId: string, site: string, name: string, since: Date}} what
 * @returns {Promise<{at: string, text: string}[]>}
 */
async function logLines(plane, { workspaceId, site, name, since }) {
  const query = [
    'union AppTraces, AppExceptions',
    `where AppRoleName =~ "${site}" and OperationName =~ "${name}"`,
    `top ${LINE_COUNT} by TimeGenerated desc`,
    'project TimeGenerated, Text = coalesce(Message, OuterMessage)',
  ].join(' | ');
  const timespan = `${since.toISOString()}/${new Date().toISOString()}`;
  const { tables } = await plane.ask('POST', `${LOGS}/v1/workspaces/${workspaceId}/query`, { json: { query, timespan } });
  return tables[0].rows.map(([at, text]) => ({ at, text })).reverse();
}

module.exports = { LOGS, callApi, logLines, messageBodies, runFunction };
