"""Puts objects straight into the clouds' buckets, each with its vendor's client, through the door of that store.

One attempt per put, so that each one that fails is seen; the object of one without an answer may be there all the same.
"""

import io
from collections.abc import Callable
from typing import Any

import boto3
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from requests.exceptions import RequestException

from drills.aws.clients import CREDENTIALS, REGION
from drills.aws.cloud import LocalAws
from drills.azure.cloud import LocalAzure
from drills.gcp.cloud import PROJECT, LocalGcp
from drills.gcp.google import storage_client
from drills.together import Together

PutObject = Callable[[str, bytes], None]

# What vendors' clients raise when a put fails.
PUT_ERRORS = (AzureError, Boto3Error, BotoCoreError, ClientError, GoogleAPIError, GoogleAuthError, RequestException)


def put_into(together: Together, cloud: str, *, timeout_s: float) -> PutObject:
    """A function that puts an object of a key into this cloud's bucket, and raises one of PUT_ERRORS or OSError."""
    local, url = together.clouds[cloud].local, together.doors[cloud].store.url
    match local:
        case LocalAws():
            return _s3(local.bucket, url, timeout_s)
        case LocalGcp():
            return _google(local.bucket, url, timeout_s)
        case LocalAzure():
            return _azure(local, timeout_s)


def _s3(bucket: str, url: str, timeout_s: float) -> PutObject:
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            connect_timeout=timeout_s,
            read_timeout=timeout_s,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=32,
            s3={"addressing_style": "path"},
        ),
    )

    def put(key: str, body: bytes) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=body)

    return put


def _google(bucket: str, url: str, timeout_s: float) -> PutObject:
    found: Any = storage_client(url, project=PROJECT).bucket(bucket)

    def put(key: str, body: bytes) -> None:
        found.blob(key).upload_from_file(io.BytesIO(body), size=len(body), timeout=timeout_s, retry=None)

    return put


def _azure(local: LocalAzure, timeout_s: float) -> PutObject:
    service = BlobServiceClient.from_connection_string(
        local.environment["SLUICE_STORAGE"], retry_total=0, connection_timeout=timeout_s, read_timeout=timeout_s
    )
    container = service.get_container_client(local.bucket)

    def put(key: str, body: bytes) -> None:
        container.upload_blob(key, body, overwrite=True, max_concurrency=1)

    return put
