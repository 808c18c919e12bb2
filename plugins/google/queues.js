'use strict';

// Topics, subscriptions and the rights on them, of one deployment.

const { grantsTo, onTopic } = require('./access');
const { PUBSUB, pulled, pushTo, subscriptionOf, topicOf } = require('./messaging');
const { agentsOf, makePubSubAgent, makeStorageAgent } = require('./project');
const { rightsOn } = require('./rights');

const INVOKER = 'invoker'; // the account with which Pub/Sub and Cloud Scheduler call functions
const PARKED = 'parked';

/**
 * Both topics, and the subscription that operators pull.
 * @param {import('./declaration').Declaration} declaration
 * @returns {import('../lib/converge').Resource[]}
 */
function queuesOf({ api, names, functions, members, project, work }) {
  const rightsOnTopic = (topic, kind, agent, prepare) =>
    rightsOn(api, {
      what: `topic ${names.queue(topic)}`,
      kind: 'ordinary',
      url: () => `${PUBSUB}${names.inProject}/topics/${names.queue(topic)}`,
      grants: () => onTopic(kind, functions, agentsOf(project.projectNumber)[agent]),
      ours: members,
      prepare,
    });
  const parked = names.queue(PARKED);
  return [
    topicOf(api, names, names.queue(work)),
    rightsOnTopic(work, 'work', 'storage', () => makeStorageAgent(api, names)),
    topicOf(api, names, parked),
    rightsOnTopic(PARKED, 'parked', 'pubsub', () => makePubSubAgent(api, names)),
    subscriptionOf(api, names, { subscription: parked, topic: parked, declare: pulled }),
  ];
}

/**
 * The subscription that pushes to a function.
 * @param {import('./declaration').Declaration} declaration
 * @param {import('./declaration').Declared} to
 * @returns {import('../lib/converge').Resource[]}
 */
function pushesOf(declaration, { name, config, event }) {
  const { api, names, members, project } = declaration;
  const subscription = names.queue(event.topic);
  const declare = () =>
    pushTo(names, {
      uri: declaration.uriOf(name),
      timeoutS: config.timeout_s,
      invoker: names.account(INVOKER),
      parkedTopic: names.queue(PARKED),
      deliveryCount: event.max_delivery_count,
    });
  return [
    subscriptionOf(api, names, { subscription, topic: subscription, declare }),
    rightsOn(api, {
      what: `subscription ${subscription}`,
      kind: 'ordinary',
      url: () => `${PUBSUB}${names.inProject}/subscriptions/${subscription}`,
      // It takes what it parks out of here. ("Dead-letter topics", Pub/Sub documentation)
      grants: () => grantsTo(agentsOf(project.projectNumber).pubsub, ['roles/pubsub.subscriber']),
      ours: members,
    }),
  ];
}

module.exports = { INVOKER, PARKED, pushesOf, queuesOf };
