'use strict';

// Google's control planes: who asks them, what their errors mean, and how long they take.

const { ControlPlane, ControlPlaneError, waitFor } = require('../lib/control-plane');

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const ENABLED_WITHIN_MS = 300_000; // an API is usable some minutes after it was enabled

const REMEDIES = {
  401: 'Log in again: `gcloud auth application-default login`.',
  403: 'docs/deploy/gcp.md lists the roles that a deployer needs.',
  409: 'If something else changes it, deploy again when that is done.',
  429: 'Deploy again later, or ask Google for more of this quota.',
};

/** Not ours: told before anything is changed. */
function refuseForeign(title, labels) {
  const wanted = Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(', ');
  throw new ControlPlaneError(`${title} exists, but without the labels ${wanted}: it is not this service's, and is left alone.`);
}

/** The same of what can have no labels, but a description. */
function refuseUnmarked(title, mark) {
  const line = `${title} exists, but its description does not say "${mark}": it is not this service's, and is left alone.`;
  throw new ControlPlaneError(line);
}

class GoogleApi {
  /**
   * @param {object} of
   * @param {string} of.project  Its id.
   * @param {string} of.emulator  Of all APIs; '' for Google's own.
   */
  constructor({ project, emulator }) {
    this.project = project;
    this.everyMs = emulator ? 5 : 2_000; // nobody else waits for an emulator
    this.plane = new ControlPlane({
      title: 'Google Cloud',
      getToken: ({ fresh }) => this.#token(fresh),
      readError: ({ error }) => error && { code: codeOf(error), message: error.message },
      remedy: ({ status }) => REMEDIES[status] ?? '',
      emulator,
      pauseMs: emulator ? 5 : 1_000,
    });
    this.justEnabled = false;
  }

  /**
   * As ControlPlane.ask does. Where an API was enabled a moment ago, it waits until that has come through.
   */
  async ask(method, url, request = {}) {
    const all = { ...request, headers: { ...(await this.#quotaProject()), ...request.headers } };
    try {
      return await this.plane.ask(method, url, all);
    } catch (error) {
      if (error.code !== 'SERVICE_DISABLED' || !this.justEnabled) throw error;
    }
    const look = () => this.plane.ask(method, url, all).catch((error) => {
      if (error.code !== 'SERVICE_DISABLED') throw error;
    });
    return waitFor(look, { what: `Enabling ${new URL(url).host}`, forMs: ENABLED_WITHIN_MS, everyMs: this.everyMs });
  }

  /** GET, or null: also where its API is not enabled yet, because then there cannot be anything. */
  async find(url) {
    try {
      return await this.ask('GET', url, { missing: null });
    } catch (error) {
      if (error.code === 'SERVICE_DISABLED') return null;
      throw error;
    }
  }

  /**
   * Wait for a long-running operation, and give its response.
   * @param {{name: string, done?: boolean, error?: object, response?: object}} started
   * @param {{at: string, what: string, forMs: number}} how  at: "https://HOST/VERSION/", in front of the operation's name.
   * @throws {ControlPlaneError}  It failed, or is not done in time.
   */
  async done(started, { at, what, forMs }) {
    const look = async () => {
      const now = started.done ? started : await this.ask('GET', `${at}${started.name}`);
      return now.done ? now : undefined;
    };
    const { error, response } = await waitFor(look, { what, forMs, everyMs: this.everyMs });
    if (!error) return response ?? {};
    const said = String(error.message).replace(/\s+/g, ' ').trim().slice(0, 500).replace(/\.$/, '');
    const remedy = 'Deploy again when that is mended: it goes on from there.';
    throw new ControlPlaneError(`${what} failed (${error.code}): ${said}. ${remedy}`);
  }

  async #client(fresh) {
    if (this.client && !fresh) return this.client;
    const { GoogleAuth } = require('google-auth-library'); // slow to load, and needed by these commands only
    // The library would ask which project it is, if it were not told.
    this.client = await new GoogleAuth({ scopes: [SCOPE], projectId: this.project }).getClient();
    return this.client;
  }

  async #token(fresh) {
    try {
      const { token } = await (await this.#client(fresh)).getAccessToken();
      return token;
    } catch (error) {
      throw noToken(error);
    }
  }

  /** A person's credentials name the project whose quota their requests use; some APIs insist on it. */
  async #quotaProject() {
    const { quotaProjectId } = await this.#client(false).catch((error) => {
      throw noToken(error);
    });
    return quotaProjectId ? { 'x-goog-user-project': quotaProjectId } : {};
  }
}

/** "SERVICE_DISABLED" rather than "PERMISSION_DENIED", where Google says it that precisely. */
function codeOf({ status, details = [], errors = [] }) {
  return details.find(({ reason }) => reason)?.reason ?? status ?? errors[0]?.reason ?? '';
}

function noToken(error) {
  const said = error.message.replace(/\s+/g, ' ').trim().slice(0, 300).replace(/\.$/, '');
  return new ControlPlaneError(`Google gives no token: ${said}. ${REMEDIES[401]}`, { status: 400 }); // not asked again
}

module.exports = { GoogleApi, refuseForeign, refuseUnmarked };
