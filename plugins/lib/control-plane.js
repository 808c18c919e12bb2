'use strict';

// Requests to a cloud's control plane: a token, answers in JSON, and every refusal as one line that says what to do.

const { setTimeout: pause } = require('node:timers/promises');

const TRY_COUNT = 4;
const TIMEOUT_MS = 60_000;
const BUSY = [429, 503]; // nothing was done
const BROKEN = [500, 502, 504]; // something may have been done
const REPEATABLE = ['GET', 'PUT', 'DELETE'];
const WAIT_MAX_MS = 20_000;

/** What a control plane refused, or why it could not be asked. */
class ControlPlaneError extends Error {
  /**
   * @param {string} message  In one line.
   * @param {{status?: number, code?: string}} told  What the answer said; no status: there was no answer.
   */
  constructor(message, { status, code } = {}) {
    super(message);
    Object.assign(this, { name: 'ControlPlaneError', status, code });
  }
}

class ControlPlane {
  /**
   * @param {object} cloud
   * @param {string} cloud.title  How people call the cloud.
   * @param {(options: {fresh: boolean}) => Promise<string>} cloud.getToken  A bearer token; fresh: not one that was refused.
   * @param {(body: any) => {code: string, message: string}} cloud.readError  From an answer's JSON.
   * @param {(told: {status: number, code: string}) => string} cloud.remedy  What to do about it, or ''.
   * @param {string} [cloud.emulator]  http://127.0.0.1:PORT, asked in place of all hosts: each host is then the path's first part.
   * @param {number} [cloud.pauseMs]  Before the second try; doubled for each further one.
   */
  constructor({ title, getToken, readError, remedy, emulator = '', pauseMs = 1_000 }) {
    if (emulator && new URL(emulator).hostname !== '127.0.0.1') {
      throw new ControlPlaneError(`An emulator of ${title} must be at 127.0.0.1: it is sent tokens. It is ${emulator}.`);
    }
    Object.assign(this, { title, getToken, readError, remedy, emulator, pauseMs });
  }

  /**
   * Ask, again where that is safe, and give the answer's JSON ({} where there is none).
   * @param {string} method
   * @param {string} url  https://HOST/PATH.
   * @param {{json?: object, body?: Buffer, headers?: object, isAnonymous?: boolean, missing?: any}} [request]
   *   missing: what to give where the answer is 404.
   * @returns {Promise<any>}  With the answer's own `answerHeaders`, `answerStatus` and `answerText`, which do not enumerate.
   * @throws {ControlPlaneError}
   */
  async ask(method, url, request = {}) {
    let fresh = false;
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#send(method, url, request, fresh).catch((error) => error);
      if (!(answer instanceof ControlPlaneError) || !this.#mayRepeat(method, answer, { attempt, fresh })) {
        if (!(answer instanceof Error)) return answer;
        if (answer.status === 404 && 'missing' in request) return request.missing;
        throw answer;
      }
      fresh ||= answer.status === 401;
      await pause(Math.min(answer.retryAfterMs ?? this.pauseMs * 2 ** (attempt - 1), WAIT_MAX_MS));
    }
  }

  /** GET, or null where there is nothing. */
  async find(url) {
    return this.ask('GET', url, { missing: null });
  }

  #mayRepeat(method, { status }, { attempt, fresh }) {
    if (attempt >= TRY_COUNT) return false;
    if (status === 401) return !fresh;
    return BUSY.includes(status) || ((status === undefined || BROKEN.includes(status)) && REPEATABLE.includes(method));
  }

  async #send(method, url, { json, body, headers, isAnonymous }, fresh) {
    const all = { ...(json ? { 'content-type': 'application/json' } : {}), ...headers };
    if (!isAnonymous) all.authorization = `Bearer ${await this.getToken({ fresh })}`;
    const address = this.emulator ? url.replace(/^https:\//, this.emulator) : url;
    let answer, text;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      answer = await fetch(address, { method, headers: all, body: json ? JSON.stringify(json) : body, signal });
      text = await answer.text();
    } catch (error) {
      throw new ControlPlaneError(`${this.title} does not answer at ${new URL(url).host}: ${error.cause?.message ?? error.message}.`);
    }
    const parsed = parseJson(text);
    if (!answer.ok) throw this.#refusal(method, url, answer, parsed, text);
    const told = { answerHeaders: answer.headers, answerStatus: answer.status, answerText: text };
    return Object.defineProperties(Object(parsed ?? {}), Object.fromEntries(Object.entries(told).map(([name, value]) => [name, { value }])));
  }

  #refusal(method, url, { status, headers }, parsed, text) {
    const { code = headers.get('x-ms-error-code') ?? undefined, message } = this.readError(parsed ?? {}) ?? {};
    const said = oneLine(message || text.replace(/<[^>]*>/g, ' ') || 'no reason was given').replace(/\.$/, '');
    const remedy = this.remedy({ status, code: code ?? '' });
    const path = new URL(url).pathname.split('/').slice(-2).join('/');
    const line = `${this.title} refused ${method} ${path} (${status}${code ? ` ${code}` : ''}): ${said}.${remedy ? ` ${remedy}` : ''}`;
    const error = new ControlPlaneError(line, { status, code });
    const seconds = Number(headers.get('retry-after'));
    return seconds > 0 ? Object.assign(error, { retryAfterMs: seconds * 1000 }) : error;
  }
}

/**
 * Ask until there is something, with growing pauses.
 * @template T
 * @param {() => Promise<T | undefined>} look
 * @param {{what: string, forMs: number, everyMs: number}} how  The pause grows to eight times `everyMs`.
 * @returns {Promise<T>}
 */
async function waitFor(look, { what, forMs, everyMs }) {
  const endMs = Date.now() + forMs;
  for (let waitMs = everyMs; ; waitMs = Math.min(waitMs * 1.5, everyMs * 8)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() + waitMs > endMs) {
      throw new ControlPlaneError(`${what} is not done after ${Math.round(forMs / 1000)} s. Deploy again: it goes on from there.`);
    }
    await pause(waitMs);
  }
}

function parseJson(text) {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined; // an error page of something in between
  }
}

const oneLine = (text) => text.replace(/\s+/g, ' ').trim().slice(0, 500);

module.exports = { ControlPlane, ControlPlaneError, waitFor };
