'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { addressFromOutputs } = require('../aws/deployment');
const { ROOT } = require('./project');

const OUTPUTS = { HttpApiUrl: 'https://api.example', UploadBucketName: 'bucket-1' };
const REGIONS = ['us-east-1', 'us-west-2', 'eu-central-2', 'cn-north-1'];

/** Where the functions' own client presigns for a bucket, by region. */
function presignedOrigins() {
  const code = `
import json, sys
from urllib.parse import urlsplit
import botocore.session
from providers.aws.clients import settings
def origin(region):
    client = botocore.session.get_session().create_client(
        "s3", region_name=region, aws_access_key_id="a", aws_secret_access_key="b", config=settings("s3"))
    parts = urlsplit(client.generate_presigned_url("get_object", Params={"Bucket": "bucket-1", "Key": "k"}))
    return f"{parts.scheme}://{parts.netloc}"
print(json.dumps([origin(region) for region in sys.argv[1:]]))
`;
  const environment = { PATH: process.env.PATH, AWS_CONFIG_FILE: '/dev/null' };
  const { stdout, stderr } = spawnSync(path.join(ROOT, '.venv/bin/python'), ['-c', code, ...REGIONS], { cwd: ROOT, encoding: 'utf8', env: environment });
  assert.equal(stderr, '');
  return JSON.parse(stdout);
}

test('the origins are those to which the functions presign, in every partition', () => {
  for (const [index, origin] of presignedOrigins().entries()) {
    const { url, origins } = addressFromOutputs(OUTPUTS, REGIONS[index]);

    assert.equal(url, 'https://api.example');
    assert.ok(origins.includes(origin), `${origin} is not in ${origins}`);
    assert.ok(origins.every((each) => each.startsWith('https://bucket-1.s3.')), 'an origin is not of this bucket alone');
  }
});

test('there is no address without a stack, nor of one that holds no more than its deployment bucket', () => {
  assert.equal(addressFromOutputs(null, 'us-east-1'), null);
  assert.equal(addressFromOutputs({ ServerlessDeploymentBucketName: 'b' }, 'us-east-1'), null);
});
