'use strict';

// The settings by which the functions and their host reach everything, without a key: by name, and with the app's identity
// ("Manage connections in Azure Functions", "App settings reference for Azure Functions", "Use Key Vault references").

const { ControlPlaneError } = require('../lib/control-plane');
const { CONTAINER, CONTROL, LEDGER, PARKED, WORK } = require('./names');

/** Where everything stands. */
function places({ data }) {
  return {
    SLUICE_BUCKET: CONTAINER,
    SLUICE_LEDGER_TABLE: LEDGER,
    SLUICE_CONTROL_TABLE: CONTROL,
    SLUICE_WORK_QUEUE: WORK,
    SLUICE_PARKED_QUEUE: PARKED,
    SLUICE_STORAGE__accountName: data,
  };
}

/** How the host and the functions show who they are. */
function connections({ data, host }, { identity, insights }) {
  const { clientId } = identity.live.properties;
  const asUs = (setting) => ({ [`${setting}__credential`]: 'managedidentity', [`${setting}__clientId`]: clientId });
  return {
    ...asUs('SLUICE_STORAGE'),
    SLUICE_STORAGE__queueServiceUri: `https://${data}.queue.core.windows.net`, // what the trigger itself reads
    AzureWebJobsStorage__accountName: host,
    ...asUs('AzureWebJobsStorage'),
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.live.properties.ConnectionString,
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: `ClientId=${clientId};Authorization=AAD`,
  };
}

/**
 * Secrets by reference to their newest version: with another one the app starts anew, and reads it. Without a version in it, a
 * reference is read again within a day.
 * @param {import('./vault').Secrets} vault
 * @param {Record<string, string>} secrets  Their names, by those of the settings.
 * @throws {ControlPlaneError} One is missing: the functions would get the reference itself as its value.
 */
async function references(vault, secrets) {
  const found = {};
  for (const [setting, secret] of Object.entries(secrets)) {
    const url = await vault.versionUrl(secret);
    if (!url) throw new ControlPlaneError(`Vault ${vault.name} has no secret "${secret}": put it there (docs/deploy/azure.md); then deploy again.`);
    found[setting] = `@Microsoft.KeyVault(SecretUri=${url})`;
  }
  return found;
}

module.exports = { connections, places, references };
