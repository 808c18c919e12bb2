'use strict';

// Who deploys: whatever Azure's own library finds, an `az login` as well as a pipeline's identity.

const { ControlPlaneError } = require('../lib/control-plane');

const MARGIN_MS = 5 * 60_000;
const REMEDY = 'Run "az login", or set what DefaultAzureCredential reads (docs/deploy/azure.md)';

class Login {
  #kept = new Map(); // by resource

  /**
   * A token for a service.
   * @param {string} resource  "https://management.azure.com".
   * @param {{fresh?: boolean}} [how]  fresh: not the one that was refused.
   * @returns {Promise<string>}
   * @throws {ControlPlaneError} Nobody is logged in.
   */
  async token(resource, { fresh = false } = {}) {
    const kept = this.#kept.get(resource);
    if (!fresh && kept && kept.expiresOnTimestamp - MARGIN_MS > Date.now()) return kept.token;
    const got = await this.#credential.getToken(`${resource}/.default`).catch((error) => {
      throw new ControlPlaneError(`Azure knows nobody here: ${error.message.split('\n')[0].replace(/\.$/, '')}. ${REMEDY}.`);
    });
    this.#kept.set(resource, got);
    return got.token;
  }

  /**
   * Who that is, from the token's claims ("Access token claims reference", Microsoft identity platform).
   * @returns {Promise<{principalId: string, tenantId: string, principalType?: string}>}
   */
  async whoAmI() {
    const token = await this.token('https://management.azure.com');
    try {
      const { oid, tid, idtyp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
      const principalType = { user: 'User', app: 'ServicePrincipal' }[idtyp];
      return { principalId: oid, tenantId: tid, ...(principalType ? { principalType } : {}) };
    } catch {
      throw new ControlPlaneError(`Azure's token does not say whose it is. ${REMEDY}.`);
    }
  }

  get #credential() {
    const { DefaultAzureCredential } = require('@azure/identity'); // slow to load
    return (this.made ??= new DefaultAzureCredential());
  }
}

module.exports = { Login };
