"""Puts objects straight into the clouds' buckets, each with its vendor's client.

Those of local clouds are put through the door of that store; those of deployed ones with the credentials that the
vendor's client finds by itself.

One attempt per put, so that each one that fails is seen; the object of one without an answer may be there all the same.
"""

import io
import os
from collections.abc import Callable
from typing import Any

import boto3
import google.auth
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from requests.exceptions import RequestException

from drills.aws.clients import CREDENTIALS, REGION
from drills.aws.cloud import LocalAws
from drills.azure.cloud import LocalAzure
from drills.gcp.cloud import PROJECT, LocalGcp
from drills.gcp.google import storage_client
from drills.together import Together

AZURE_CREDENTIALS = "AZURE_STORAGE_CONNECTION_STRING"

PutObject = Callable[[str, bytes], None]

# What vendors' clients raise when a put fails.
PUT_ERRORS = (AzureError, Boto3Error, BotoCoreError, ClientError, GoogleAPIError, GoogleAuthError, RequestException)


def put_into(together: Together, cloud: str, *, timeout_s: float) -> PutObject:
    """A function that puts an object of a key into this cloud's bucket, and raises one of PUT_ERRORS or OSError."""
    local, url = together.clouds[cloud].local, together.doors[cloud].store.url
    match local:
        case LocalAws():
            return _s3(_local_s3(url, timeout_s), local.bucket)
        case LocalGcp():
            return _google(storage_client(url, project=PROJECT).bucket(local.bucket), timeout_s)
        case LocalAzure():
            return _azure(local.environment["SLUICE_STORAGE"], local.bucket, timeout_s)


def put_into_deployed(cloud: str, bucket: str, *, timeout_s: float) -> PutObject:
    """The same for a bucket of that name, with the credentials that this machine has."""
    match cloud:
        case "aws":
            session: Any = boto3.session.Session()
            return _s3(session.client("s3", config=_s3_config(timeout_s)), bucket)
        case "gcp":
            return _google(storage.Client().bucket(bucket), timeout_s)
        case "azure":
            return _azure(os.environ[AZURE_CREDENTIALS], bucket, timeout_s)
        case _:
            raise ValueError(f"there is no cloud {cloud!r}")


def lacking_credentials(cloud: str) -> str:
    """Why this machine cannot put into that cloud's buckets; "" if it can, as far as can be told without a request."""
    match cloud:
        case "aws":
            return "" if boto3.session.Session().get_credentials() else "boto3 finds no credentials"
        case "gcp":
            if os.environ.get("STORAGE_EMULATOR_HOST"):
                return ""
            try:
                google.auth.default()
            except GoogleAuthError:
                return "there are no application default credentials"
            return ""
        case _:
            return "" if os.environ.get(AZURE_CREDENTIALS) else f"{AZURE_CREDENTIALS} is not set"


def _s3(client: Any, bucket: str) -> PutObject:
    def put(key: str, body: bytes) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=body)

    return put


def _s3_config(timeout_s: float, **more: Any) -> Config:
    return Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=32,
        **more,
    )


def _local_s3(url: str, timeout_s: float) -> Any:
    return boto3.session.Session().client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=_s3_config(timeout_s, s3={"addressing_style": "path"}),
    )


def _google(bucket: Any, timeout_s: float) -> PutObject:
    def put(key: str, body: bytes) -> None:
        bucket.blob(key).upload_from_file(io.BytesIO(body), size=len(body), timeout=timeout_s, retry=None)

    return put


def _azure(connection: str, bucket: str, timeout_s: float) -> PutObject:
    service = BlobServiceClient.from_connection_string(
        connection, retry_total=0, connection_timeout=timeout_s, read_timeout=timeout_s
    )
    container = service.get_container_client(bucket)

    def put(key: str, body: bytes) -> None:
        container.upload_blob(key, body, overwrite=True, max_concurrency=1)

    return put
