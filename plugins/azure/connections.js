'use strict';

// The settings by which the functions and their host reach everything, without a key: by name, and with the app's identity
// ("Manage connections in Azure Functions", "App settings reference for Azure Functions", "Use Key Vault references").

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

/** Secrets by reference: Azure reads them, anew within a day of a new version. */
function references({ vault }, secrets) {
  return Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, `@Microsoft.KeyVault(VaultName=${vault};SecretName=${secret})`]));
}

module.exports = { connections, places, references };
