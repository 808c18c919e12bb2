'use strict';

// Where the functions' logs go. They are sent with the functions' identity: whoever knew the connection string alone could send
// nothing ("Microsoft Entra authentication for Application Insights").

const { armResource } = require('./arm-resource');

const VERSION = '2023-09-01';

/** @returns {{workspace: object, insights: object, all: object[]}} */
function monitoring({ arm, group, region, tags, names }, { logDays }) {
  const workspace = armResource(arm, {
    title: `log workspace ${names.workspace}`,
    id: `${group}/providers/Microsoft.OperationalInsights/workspaces/${names.workspace}`,
    version: VERSION,
    body: { location: region, properties: { sku: { name: 'PerGB2018' }, retentionInDays: logDays } },
    tags,
  });
  // Else its name would be kept for 14 days ("Workspaces - Delete").
  workspace.remove = () => arm.remove(workspace.id, VERSION, '&force=true');
  const insights = armResource(arm, {
    title: `Application Insights ${names.insights}`,
    id: `${group}/providers/Microsoft.Insights/components/${names.insights}`,
    version: '2020-02-02',
    body: {
      location: region,
      kind: 'web',
      properties: { Application_Type: 'web', WorkspaceResourceId: workspace.id, DisableLocalAuth: true },
    },
    tags,
  });
  return { workspace, insights, all: [workspace, insights] };
}

module.exports = { monitoring };
