'use strict';

// Calling a deployed function, and reading what it logged.

const { ControlPlaneError } = require('../lib/control-plane');

const LOGGING = 'https://logging.googleapis.com/v2/entries:list';
const PAGE_COUNT = 20;
const PAGE_ENTRIES = 1000; // "entries.list", Cloud Logging API

/**
 * A token with which an account may call a function: any operator gets one who may create tokens of this account.
 * @returns {Promise<string>}
 */
async function identityToken(api, { account, audience }) {
  const url = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${account}:generateIdToken`;
  try {
    return (await api.ask('POST', url, { json: { audience, includeEmail: true } })).token;
  } catch (error) {
    if (error.status !== 403 || error.code === 'SERVICE_DISABLED') throw error;
    const role = 'roles/iam.serviceAccountOpenIdTokenCreator';
    throw new ControlPlaneError(`You may not call as ${account}: its owner gives you ${role} on it.`, { status: 403 });
  }
}

/**
 * Post an event, as Pub/Sub's push or Cloud Scheduler would.
 * @param {any} event  A push, or a CloudEvent.
 */
async function callWithEvent(api, { uri, token, event }) {
  const kind = event?.specversion ? 'application/cloudevents+json' : 'application/json';
  const headers = { 'content-type': kind, authorization: `Bearer ${token}` };
  const answer = await api.plane.ask('POST', `${uri}/`, { json: event, headers, isAnonymous: true });
  return Object.keys(answer).length ? answer : answer.answerText;
}

/**
 * Send a request, as a client would.
 * @param {{path?: string, method?: string, headers?: object, body?: string}} event
 */
async function callApi(api, uri, { path, method = 'GET', headers = {}, body }) {
  if (typeof path !== 'string' || !path.startsWith('/')) { // else it could name another host, which would get the token
    throw new ControlPlaneError('The event of an HTTP function is {"path": "/v1/health"}, and "method", "headers", "body".');
  }
  const answer = await api.plane.ask(method, `${uri}${path}`, { headers, body, isAnonymous: true });
  return Object.keys(answer).length ? answer : answer.answerText;
}

/**
 * What a function logged.
 * @param {{project: string, region: string, service: string, since: Date}} of
 * @returns {Promise<{at: string, text: string}[]>}  The oldest first; at most PAGE_COUNT pages.
 */
async function readLogs(api, { project, region, service, since }) {
  const filter = [
    'resource.type = "cloud_run_revision"',
    `resource.labels.service_name = "${service}"`,
    `resource.labels.location = "${region}"`,
    `timestamp >= "${since.toISOString()}"`,
  ].join(' AND ');
  const json = { resourceNames: [`projects/${project}`], filter, orderBy: 'timestamp asc', pageSize: PAGE_ENTRIES };
  const lines = [];
  for (let page = 0, pageToken; page < PAGE_COUNT; page += 1) {
    const answer = await api.ask('POST', LOGGING, { json: { ...json, ...(pageToken ? { pageToken } : {}) } });
    lines.push(...(answer.entries ?? []).map((entry) => ({ at: entry.timestamp, text: textOf(entry) })));
    pageToken = answer.nextPageToken;
    if (!pageToken) break;
  }
  return lines;
}

/** An entry in a line: what was printed, or what request it was. */
function textOf({ textPayload, jsonPayload, httpRequest, severity = '' }) {
  const { requestMethod, requestUrl, status, latency = '' } = httpRequest ?? {};
  const request = httpRequest && `${requestMethod} ${requestUrl} ${status} ${latency}`;
  const text = textPayload ?? jsonPayload?.message ?? request ?? JSON.stringify(jsonPayload ?? {});
  return `${severity} ${text}`.trim();
}

module.exports = { callApi, callWithEvent, identityToken, readLogs };
