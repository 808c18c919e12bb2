'use strict';

// What each function may do, and no more: the same as its role on AWS (providers/aws/roles.yml), in Google's predefined roles.

const OWN_OBJECTS = '.sluice/'; // core/upload.py: probes, and parts of uploads

/**
 * By the target in main.py. ledger: reads and writes the database; signs: makes URLs that carry its own permission;
 * counts: asks how many messages wait, which only Cloud Monitoring tells, for a whole project.
 */
const NEEDS = {
  process: { bucket: ['roles/storage.objectViewer'], publishesTo: 'parked', ledger: true, signs: true, counts: false },
  api: { bucket: ['roles/storage.objectUser'], publishesTo: 'work', ledger: true, signs: true, counts: true },
  watch: {
    bucket: ['roles/storage.legacyBucketReader'], // lists
    ownObjects: true,
    publishesTo: 'work',
    ledger: true,
    signs: false,
    counts: true,
  },
};

/** Of the account that builds. ("Set build service account", Cloud Run documentation) */
const BUILDER_ROLES = ['roles/run.builder'];

const grantsTo = (member, roles) => roles.map((role) => ({ role, member }));

/**
 * On the project: what cannot be given on a smaller thing. The database's name stands in a condition, because it has no policy
 * of its own ("Configure per-database access permissions", Firestore documentation).
 */
function onProject(names, functions, builder) {
  const condition = {
    title: names.database,
    expression: `resource.name == "${names.inProject}/databases/${names.database}"`,
  };
  const ofFunctions = functions.flatMap(({ member, needs }) => [
    ...(needs.ledger ? [{ role: 'roles/datastore.user', member, condition }] : []),
    ...(needs.counts ? [{ role: 'roles/monitoring.viewer', member }] : []),
  ]);
  return [...grantsTo(builder, BUILDER_ROLES), ...ofFunctions];
}

function onBucket(names, functions) {
  const start = `projects/_/buckets/${names.bucket}/objects/${OWN_OBJECTS}`;
  const condition = { title: 'own-objects', expression: `resource.name.startsWith("${start}")` };
  return functions.flatMap(({ member, needs }) => [
    ...grantsTo(member, needs.bucket),
    ...(needs.ownObjects ? [{ role: 'roles/storage.objectUser', member, condition }] : []),
  ]);
}

/** On one of the topics; `agent` is the account of Google's that publishes there, too. */
function onTopic(topic, functions, agent) {
  const publishers = functions.filter(({ needs }) => needs.publishesTo === topic).map(({ member }) => member);
  return [...publishers, agent].flatMap((member) => grantsTo(member, ['roles/pubsub.publisher']));
}

/** On itself: asking IAM for its signature. ("Service Account Token Creator", IAM documentation) */
const onItself = (member) => grantsTo(member, ['roles/iam.serviceAccountTokenCreator']);

module.exports = { NEEDS, grantsTo, onBucket, onItself, onProject, onTopic };
