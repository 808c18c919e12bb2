'use strict';

// What is asked of a deployed stack on AWS: where it is, its functions' settings, and the secret beside it.

const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { settingsFromOutputs } = require('../lib/deployed');
const { isMissingStack } = require('./plan');

/** "Service endpoints" (General Reference): the partition's domain. */
const domainOf = (region) => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com');

/**
 * Where the others reach a deployed stack.
 * @param {Record<string, string> | null} outputs  By key; null: there is no stack.
 * @param {string} region
 * @returns {{url: string, origins: string[]} | null}  `origins`: where its presigned URLs lead; S3 knows the bucket by two names,
 *   and botocore chooses by the region ("Virtual hosting of buckets", S3 user guide).
 */
function addressFromOutputs(outputs, region) {
  if (!outputs?.HttpApiUrl || !outputs.UploadBucketName) return null;
  const domain = domainOf(region);
  const hosts = [`s3.${domain}`, `s3.${region}.${domain}`];
  return { url: outputs.HttpApiUrl, origins: hosts.map((host) => `https://${outputs.UploadBucketName}.${host}`) };
}

class AwsDeployment {
  /**
   * @param {object} serverless
   * @param {Record<string, any>} options  Of the command line.
   */
  constructor(serverless, options) {
    Object.assign(this, { serverless, options, provider: serverless.getProvider('aws') });
  }

  get stackName() {
    return this.provider.naming.getStackName();
  }

  /** The stack's outputs by key, or null where there is none. */
  async outputs() {
    const { DescribeStacksCommand } = require('@aws-sdk/client-cloudformation'); // slow to load, and seldom needed
    const client = await this.provider.getCloudFormationClient();
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: this.stackName })).catch((error) => {
      if (isMissingStack(error)) return { Stacks: [] };
      return this.refuse(`Cannot read stack "${this.stackName}": ${error.message}`);
    });
    if (!Stacks.length) return null;
    return Object.fromEntries((Stacks[0].Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]));
  }

  /** As SLUICE_PEERS names this cloud; null where nothing is deployed. */
  async address() {
    return addressFromOutputs(await this.outputs(), this.provider.getRegion());
  }

  /** SLUICE_ORDER of the functions that stand; '' where none do. */
  async order() {
    return (await this.outputs())?.Order ?? '';
  }

  /** The functions' settings, and who asks. */
  async settings() {
    const outputs = (await this.outputs()) ?? this.refuse(`There is no stack "${this.stackName}": deploy it first.`);
    return { ...settingsFromOutputs(outputs), ...this.account };
  }

  /** Region and profile, as the SDK for Python reads them. */
  get account() {
    const profile = this.options['aws-profile'];
    return { AWS_DEFAULT_REGION: this.provider.getRegion(), ...(profile ? { AWS_PROFILE: profile } : {}) };
  }

  /** A secret's newest value, or ''. */
  async readSecret(name) {
    return this.#runSecret('read', name)?.value ?? '';
  }

  /** Create a secret, or add a version if the value differs. */
  async writeSecret(name, value) {
    this.#runSecret('write', name, value);
  }

  /** Remove a secret that this deployment made; none is fine. */
  async removeSecret(name) {
    this.#runSecret('remove', name);
  }

  /** What to deploy with, so that CloudFormation reads a secret; with its version, or a newer one would seem no change. */
  async referTo(name) {
    const found = this.#runSecret('read', name);
    return found ? `peer_keys={{resolve:secretsmanager:${name}:SecretString:::${found.version}}}` : '';
  }

  /** Python's SDK has the client, the framework's has none. */
  #runSecret(verb, name, input = '') {
    const { serviceDir } = this.serverless;
    const argv = ['-m', 'handlers.secret', verb, '--cloud=aws', `--name=${name}`, `--stack=${this.stackName}`];
    const env = { ...process.env, ...this.account };
    const piped = { cwd: serviceDir, env, input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] };
    const { status, stdout, stderr, error } = spawnSync(path.join(serviceDir, '.venv/bin/python'), argv, piped);
    if (error) throw error;
    if (status !== 0) this.refuse(stderr.trim().replace(/^Error: /, ''));
    return stdout ? JSON.parse(stdout) : null;
  }

  refuse(message) {
    throw new this.serverless.classes.Error(message, 'SLUICE_NO_STACK');
  }
}

module.exports = { AwsDeployment, addressFromOutputs };
