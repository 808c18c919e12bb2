'use strict';

// Jobs of Cloud Scheduler that call functions.

const { refuseUnmarked } = require('./google-api');
const { sameParts } = require('./same');

const SCHEDULER = 'https://cloudscheduler.googleapis.com/v1/';
const ATTEMPT_MIN_S = 15; // "Job", Cloud Scheduler API: 15 s to 30 min

/**
 * A job, which can have no labels: its description says whose it is.
 * @param {import('./google-api').GoogleApi} api
 * @param {import('./names').Names} names
 * @param {{name: string, cron: string, timeoutS: number, invoker: string, uri: () => string | undefined}} of
 * @returns {import('../lib/converge').Resource}
 */
function jobOf(api, names, { name, cron, timeoutS, invoker, uri }) {
  const id = names.function(name);
  const title = `schedule ${id}`;
  const fullName = `${names.inRegion}/jobs/${id}`;
  const declare = () => ({
    description: `calls function ${id}; ${names.mark}`,
    schedule: cron,
    timeZone: 'Etc/UTC',
    attemptDeadline: `${Math.max(ATTEMPT_MIN_S, timeoutS)}s`,
    httpTarget: { uri: `${uri()}/`, httpMethod: 'POST', oidcToken: { serviceAccountEmail: invoker, audience: uri() } },
  });
  return {
    title,
    read: async () => {
      const live = await api.find(`${SCHEDULER}${fullName}`);
      if (live && !live.description?.includes(names.mark)) {
        refuseUnmarked(title, names.mark);
      }
      return live;
    },
    differences: (live) => {
      const declared = declare();
      return Object.keys(declared).filter((part) => !sameParts(live[part], declared[part]));
    },
    create: () => api.ask('POST', `${SCHEDULER}${names.inRegion}/jobs`, { json: { name: fullName, ...declare() } }),
    update: (live, parts) =>
      api.ask('PATCH', `${SCHEDULER}${fullName}?updateMask=${parts.join(',')}`, { json: { name: fullName, ...declare() } }),
    remove: () => api.ask('DELETE', `${SCHEDULER}${fullName}`, { missing: null }),
  };
}

module.exports = { jobOf };
