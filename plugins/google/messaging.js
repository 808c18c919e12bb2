'use strict';

// Topics and subscriptions.
//
//     bucket ──notification──> work ──push, with a token──> process
//                                └── too many deliveries ──> parked, which an operator pulls <── parked by our own code

const { ControlPlaneError } = require('../lib/control-plane');
const { refuseForeign } = require('./google-api');
const { sameParts } = require('./same');

const PUBSUB = 'https://pubsub.googleapis.com/v1/';
// 31 days, the longest there is ("Subscription", Pub/Sub API): an outage must not outlast the queue.
const RETENTION = '2678400s';
const PARKED_ACK_DEADLINE_S = 60;

/** @returns {import('../lib/converge').Resource} */
function topicOf(api, names, topic) {
  const name = `${names.inProject}/topics/${topic}`;
  return {
    title: `topic ${topic}`,
    read: () => findOurs(api, names, `topic ${topic}`, name),
    create: () => api.ask('PUT', `${PUBSUB}${name}`, { json: { labels: names.labels } }),
    remove: () => api.ask('DELETE', `${PUBSUB}${name}`, { missing: null }),
  };
}

/**
 * A subscription, which holds messages for 31 days and never expires itself.
 * @param {import('./google-api').GoogleApi} api
 * @param {import('./names').Names} names
 * @param {{subscription: string, topic: string, declare: () => object}} of  declare: fields beside topic, labels and how long.
 * @returns {import('../lib/converge').Resource}
 */
function subscriptionOf(api, names, { subscription, topic, declare }) {
  const name = `${names.inProject}/subscriptions/${subscription}`;
  const topicName = `${names.inProject}/topics/${topic}`;
  const fields = () => ({ messageRetentionDuration: RETENTION, expirationPolicy: {}, ...declare() }); // {}: it never expires
  return {
    title: `subscription ${subscription}`,
    read: () => findOurs(api, names, `subscription ${subscription}`, name),
    differences: (live) => {
      if (live.topic !== topicName) return ['topic'];
      return Object.entries(fields()).flatMap(([part, declared]) => (isSame(live[part], declared) ? [] : [part]));
    },
    create: () => api.ask('PUT', `${PUBSUB}${name}`, { json: { topic: topicName, labels: names.labels, ...fields() } }),
    update: async (live, parts) => {
      if (parts.includes('topic')) throw orphaned(subscription, live.topic);
      const json = { subscription: { name, ...fields() }, updateMask: parts.join(',') };
      return api.ask('PATCH', `${PUBSUB}${name}`, { json });
    },
    remove: () => api.ask('DELETE', `${PUBSUB}${name}`, { missing: null }),
  };
}

/** It cannot get another topic, and what it holds would go with it. */
function orphaned(subscription, topic) {
  const remedy = `\`gcloud pubsub subscriptions delete ${subscription}\`, when nothing in it is needed, and deploy again`;
  return new ControlPlaneError(`subscription ${subscription} has the topic ${topic}, and may hold messages: ${remedy}.`);
}

/** Where nothing is declared, nothing may stand: a policy without an end must not have one. */
function isSame(live, declared) {
  const isEmpty = typeof declared === 'object' && !Object.keys(declared).length;
  return isEmpty ? live !== undefined && !Object.keys(live).length : sameParts(live, declared);
}

async function findOurs(api, names, title, name) {
  const live = await api.find(`${PUBSUB}${name}`);
  if (live && !sameParts(live.labels, names.labels)) refuseForeign(title, names.labels);
  return live;
}

/**
 * A subscription that pushes to a function.
 * @param {import('./names').Names} names
 * @param {{uri: string, timeoutS: number, invoker: string, parkedTopic: string, deliveryCount: number}} to
 */
function pushTo(names, { uri, timeoutS, invoker, parkedTopic, deliveryCount }) {
  return {
    ackDeadlineSeconds: Math.min(600, timeoutS + 10), // when the function would have answered, if it lived
    retryPolicy: { minimumBackoff: '10s', maximumBackoff: '600s' },
    deadLetterPolicy: { deadLetterTopic: `${names.inProject}/topics/${parkedTopic}`, maxDeliveryAttempts: deliveryCount },
    pushConfig: { pushEndpoint: `${uri}/`, oidcToken: { serviceAccountEmail: invoker, audience: uri } },
  };
}

/** One that somebody pulls from. */
const pulled = () => ({ ackDeadlineSeconds: PARKED_ACK_DEADLINE_S });

module.exports = { PUBSUB, pulled, pushTo, subscriptionOf, topicOf };
