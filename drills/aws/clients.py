"""boto3 clients for the local AWS: no retries that hide a failure, no waiting that outlasts a drill."""

from typing import Any, Literal

import boto3
from botocore.config import Config

REGION = "us-east-1"
# Not secrets. In a signed URL the emulator accepts only these; else anything.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def aws_client(service: Literal["s3", "sqs", "dynamodb", "cloudformation", "lambda"], *, endpoint_url: str) -> Any:
    """Return a client that makes one attempt per call, and may be shared by threads."""
    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            connect_timeout=2,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=64,
            s3={"addressing_style": "path"},
        ),
    )
