'use strict';

// Azure's control planes: Resource Manager, and the services that have one of their own.

const { ControlPlane, ControlPlaneError, waitFor } = require('../lib/control-plane');

const ARM = 'https://management.azure.com';
const DOCUMENT = 'docs/deploy/azure.md';
const FOR_MS = 15 * 60_000;

/** Of provisioning; everything else is under way ("Track asynchronous Azure operations"). */
const ENDED = ['Succeeded', 'Failed', 'Canceled'];

const BUSY = 'Something else is changing it: deploy again when that is done.';

/** Remedies by what an error's code contains. */
const REMEDIES = [
  [/quota/i, 'Ask for a larger quota, or take another region (AZURE_REGION).'],
  [/^(AuthorizationPermissionMismatch|Forbidden)$/, 'Whoever deploys gets the roles; a new one takes up to ten minutes to be known: then try again.'],
  [/^ScopeLocked$/, 'A lock protects it: remove the lock first, if that is meant.'],
  [/^RequestDisallowedByPolicy$/, 'A policy forbids it: ask whoever set it.'],
  [/Authorization|Denied|Forbidden/, `${DOCUMENT} says which roles a deployment needs.`],
  [/AuthenticationFailed|InvalidAuthenticationToken|ExpiredAuthenticationToken/, 'Log in again: az login.'],
  [/^InvalidResource(Group)?Location$/, 'It stands in another region: set AZURE_REGION to that one, or take another stage.'],
  [/Conflict|AnotherOperationInProgress/, BUSY],
  [/AlreadyTaken|NotAvailable|AlreadyExists/, 'The name is taken, perhaps by what was removed a moment ago: try later, or take another stage.'],
];

/** What to do about a refusal. */
function remedyOf({ status, code }) {
  const [, remedy] = REMEDIES.find(([pattern]) => pattern.test(code)) ?? [];
  return remedy ?? { 401: 'Log in again: az login.', 403: `${DOCUMENT} says which roles a deployment needs.`, 409: BUSY }[status] ?? '';
}

/** Code and message of an error of any of Azure's services. */
function readError(body) {
  const { code, Code, message, Message } = body.error ?? body['odata.error'] ?? body;
  return { code: code ?? Code, message: message?.value ?? message ?? Message };
}

/**
 * A control plane for one of Azure's services.
 * @param {import('./login').Login} login
 * @param {string} resource  Whom the token is for.
 * @param {string} emulator  As ControlPlane's; '' for none.
 */
function makePlane(login, resource, emulator) {
  return new ControlPlane({
    title: 'Azure',
    getToken: (how) => login.token(resource, how),
    readError,
    remedy: remedyOf,
    emulator,
    pauseMs: emulator ? 20 : 1_000, // an emulator answers at once
  });
}

/** Azure Resource Manager. */
class Arm {
  /** @param {{plane: ControlPlane, everyMs: number}} how  everyMs: between two looks at what takes time. */
  constructor({ plane, everyMs }) {
    Object.assign(this, { plane, everyMs });
  }

  /**
   * What stands, or null. What is still being made or removed is waited for. Where a provider is not registered, nothing stands.
   * @param {string} id  /subscriptions/…
   * @param {string} version  Of the API.
   */
  async read(id, version) {
    const live = await this.plane.find(this.#url(id, version)).catch((error) => {
      if (error.code === 'MissingSubscriptionRegistration') return null;
      throw error;
    });
    return live && !this.#isEnded(live) ? this.#waitForEnd(id, version, { gone: null }) : live;
  }

  /** Create or replace it; gives what stands then. */
  async put(id, version, json) {
    await this.write(id, version, json);
    const live = await this.#waitForEnd(id, version);
    if (['Failed', 'Canceled'].includes(live.properties?.provisioningState)) throw failureOf(id, {});
    return live;
  }

  /** Replace what cannot be read back, as an app's settings. */
  async write(id, version, json) {
    await this.#finish(await this.plane.ask('PUT', this.#url(id, version), { json }), id);
  }

  async patch(id, version, json) {
    return this.#finish(await this.plane.ask('PATCH', this.#url(id, version), { json }), id);
  }

  async post(id, version, json = {}) {
    return this.#finish(await this.plane.ask('POST', this.#url(id, version), { json }), id);
  }

  /** Remove it; what is gone already is no error. */
  async remove(id, version, query = '') {
    const answer = await this.plane.ask('DELETE', `${this.#url(id, version)}${query}`, { missing: null });
    if (answer) await this.#finish(answer, id);
  }

  /** All of a listing, whatever the number of pages. */
  async list(id, version, query = '') {
    const found = [];
    for (let url = `${this.#url(id, version)}${query}`; url; ) {
      const page = await this.plane.find(requireArm(url));
      if (!page) break;
      found.push(...page.value);
      url = page.nextLink;
    }
    return found;
  }

  /** Wait until it is so. */
  async until(what, isSo) {
    await waitFor(async () => ((await isSo()) ? true : undefined), { what, forMs: FOR_MS, everyMs: this.everyMs });
  }

  #url(id, version) {
    return `${ARM}${id}?api-version=${version}`;
  }

  #isEnded({ properties }) {
    const state = properties?.provisioningState;
    return typeof state !== 'string' || ENDED.includes(state);
  }

  /** What was made a moment ago may not be found yet: then it is looked for again, as `gone` is undefined. */
  async #waitForEnd(id, version, { gone } = {}) {
    const look = async () => {
      const live = await this.plane.find(this.#url(id, version));
      if (!live) return gone;
      return this.#isEnded(live) ? live : undefined;
    };
    return waitFor(look, { what: nameOf(id), forMs: FOR_MS, everyMs: this.everyMs });
  }

  /** Wait for what an answer began, in the two ways that a header names; the third, its state, is #waitForEnd. */
  async #finish(answer, id) {
    const operation = answer.answerHeaders.get('azure-asyncoperation');
    const location = answer.answerStatus === 202 ? answer.answerHeaders.get('location') : null;
    if (!operation && !location) return answer;
    const url = requireArm(operation ?? location);
    const look = async () => {
      const told = await this.plane.ask('GET', url);
      if (!operation) return told.answerStatus === 202 ? undefined : told;
      if (told.status === 'Failed' || told.status === 'Canceled') throw failureOf(id, told.error ?? {});
      return told.status === 'Succeeded' ? told : undefined;
    };
    return waitFor(look, { what: nameOf(id), forMs: FOR_MS, everyMs: this.everyMs });
  }
}

/** A link in an answer is followed with a token, so it must lead to Azure. */
function requireArm(url) {
  const { origin } = new URL(url);
  if (origin === ARM || /^https:\/\/[a-z0-9]+\.management\.azure\.com$/.test(origin)) return url; // some regions have their own
  throw new ControlPlaneError(`Azure sent us to ${origin}, which is not followed.`);
}

function failureOf(id, { code = 'no code', message = 'no reason was given' }) {
  const remedy = remedyOf({ code });
  const reason = message.replace(/\s+/g, ' ').replace(/\.$/, '');
  return new ControlPlaneError(`Azure gave up on ${nameOf(id)} (${code}): ${reason}.${remedy ? ` ${remedy}` : ''}`, { code });
}

const nameOf = (id) => id.split('/').slice(-2).join('/');

module.exports = { ARM, Arm, makePlane };
