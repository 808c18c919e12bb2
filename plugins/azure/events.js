'use strict';

// How the work queue hears of files. The topic has an identity, because no key opens the queue.

const { armResource } = require('./arm-resource');
const { CONTAINER, DEAD_LETTERS, WORK } = require('./names');

const VERSION = '2025-02-15';

/** @returns {{topic: object, subscription: object}} The topic's identity needs its roles before the subscription is made. */
function events({ arm, group, region, tags, names }, { uploads }) {
  const identity = { type: 'SystemAssigned' };
  const topic = armResource(arm, {
    title: `Event Grid topic ${names.topic}`,
    id: `${group}/providers/Microsoft.EventGrid/systemTopics/${names.topic}`,
    version: VERSION,
    body: { location: region, identity, properties: { source: uploads.account.id, topicType: 'Microsoft.Storage.StorageAccounts' } },
    tags,
  });
  const queue = { resourceId: uploads.account.id, queueName: WORK, queueMessageTimeToLiveInSeconds: -1 }; // for ever
  const container = { resourceId: uploads.account.id, blobContainerName: DEAD_LETTERS };
  const subscription = armResource(arm, {
    title: `subscription of queue ${WORK} to files of container ${CONTAINER}`,
    id: `${topic.id}/eventSubscriptions/${CONTAINER}`,
    version: VERSION,
    body: {
      properties: {
        eventDeliverySchema: 'EventGridSchema',
        deliveryWithResourceIdentity: { identity, destination: { endpointType: 'StorageQueue', properties: queue } },
        deadLetterWithResourceIdentity: { identity, deadLetterDestination: { endpointType: 'StorageBlob', properties: container } },
        filter: {
          subjectBeginsWith: `/blobServices/default/containers/${CONTAINER}/`,
          includedEventTypes: ['Microsoft.Storage.BlobCreated', 'Microsoft.Storage.BlobDeleted'],
        },
        retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }, // the most that there is
      },
    },
  });
  return { topic, subscription };
}

module.exports = { events };
