'use strict';

// What a deployment's things are called: the same names on every machine, so that nothing has to be remembered.

const { createHash } = require('node:crypto');

const ACCOUNT_MAX_CHARS = 30; // "CreateServiceAccountRequest", IAM API
const BUCKET_MAX_CHARS = 63; // "Bucket names", Cloud Storage documentation
const DATABASE_MAX_CHARS = 63; // "projects.databases.create", Firestore API
const FUNCTION_MAX_CHARS = 49; // of the Cloud Run service that a function becomes ("projects.locations.services.create")
const LABEL_MAX_CHARS = 63; // "Requirements for labels", Resource Manager documentation

const digest = (text) => createHash('sha256').update(text).digest('hex');
const plain = (text) => text.toLowerCase().replace(/[^a-z0-9-]+/g, '-');

/** The name, cut to a length; names that were cut are told apart by a hash. */
function fit(name, maxChars) {
  return name.length <= maxChars ? name : `${name.slice(0, maxChars - 7).replace(/-+$/, '')}-${digest(name).slice(0, 6)}`;
}

class Names {
  /**
   * @param {object} of
   * @param {string} of.service
   * @param {string} of.stage
   * @param {string} of.project  Its id.
   * @param {string} of.region
   */
  constructor({ service, stage, project, region }) {
    Object.assign(this, { project, region, prefix: `${plain(service)}-${plain(stage)}` });
    /** Of everything that can have labels. */
    this.labels = { service: plain(service).slice(0, LABEL_MAX_CHARS), stage: plain(stage).slice(0, LABEL_MAX_CHARS) };
    /** In the description of what can have no labels. */
    this.mark = `service=${this.labels.service} stage=${this.labels.stage}`;
    this.inProject = `projects/${project}`;
    this.inRegion = `projects/${project}/locations/${region}`;
  }

  /** Unique in the world, so that it has a hash of the project. */
  get bucket() {
    const ending = `-uploads-${digest(this.project).slice(0, 8)}`;
    return `${fit(this.prefix, BUCKET_MAX_CHARS - ending.length)}${ending}`;
  }

  get database() {
    return fit(this.prefix, DATABASE_MAX_CHARS);
  }

  /** A topic, and its subscription. */
  queue(name) {
    return `${this.prefix}-${name}`;
  }

  function(name) {
    return fit(`${this.prefix}-${plain(name)}`, FUNCTION_MAX_CHARS);
  }

  accountId(name) {
    return fit(`${this.prefix}-${plain(name)}`, ACCOUNT_MAX_CHARS);
  }

  account(name) {
    return `${this.accountId(name)}@${this.project}.iam.gserviceaccount.com`;
  }

  /** As policies call it. */
  member(name) {
    return `serviceAccount:${this.account(name)}`;
  }
}

module.exports = { Names, digest };
