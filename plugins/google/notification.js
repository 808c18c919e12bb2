'use strict';

// What a bucket tells of its objects, and to which topic.

const { STORAGE } = require('./storage');

/**
 * The notification. It can have no labels; what the bucket tells the same topic is ours.
 * @param {import('./google-api').GoogleApi} api
 * @param {import('./names').Names} names
 * @param {string} topic
 * @returns {import('../lib/converge').Resource}
 */
function notificationOf(api, names, topic) {
  const url = `${STORAGE}/${names.bucket}/notificationConfigs`;
  const declared = {
    topic: `//pubsub.googleapis.com/${names.inProject}/topics/${topic}`,
    payload_format: 'JSON_API_V1',
    // In a bucket with versions a deletion without a version only archives. ("Pub/Sub notifications for Cloud Storage")
    event_types: ['OBJECT_FINALIZE', 'OBJECT_DELETE', 'OBJECT_ARCHIVE'],
  };
  const create = () => api.ask('POST', url, { json: declared });
  const removeAll = async (some) => {
    for (const { id } of some) await api.ask('DELETE', `${url}/${id}`, { missing: null });
  };
  return {
    title: `notification of bucket ${names.bucket}`,
    read: async () => {
      const { items = [] } = (await api.find(url)) ?? {};
      const standing = items.filter((one) => one.topic === declared.topic);
      return standing.length ? { standing, right: standing.find((one) => !differing(one, declared).length) } : null;
    },
    differences: ({ standing, right }) => {
      if (!right) return differing(standing[0], declared);
      return standing.length > 1 ? ['more than one'] : []; // two deployments at once, or one that broke off
    },
    create,
    update: async ({ standing, right }) => {
      if (!right) await create(); // it cannot be changed; for a moment there are two, and events twice
      await removeAll(standing.filter((one) => one !== right));
    },
    remove: ({ standing }) => removeAll(standing),
  };
}

const differing = (live, declared) => ['event_types', 'payload_format'].filter((part) => !sameSet(live[part], declared[part]));

const sameSet = (one, other) => JSON.stringify([one].flat().sort()) === JSON.stringify([other].flat().sort());

module.exports = { notificationOf };
