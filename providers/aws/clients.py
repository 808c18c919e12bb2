"""The SDK's clients: made when first used, once for each service, and kept while the function is warm.

Cold start decides how. CPU time of importing the SDK and making the clients of S3 and DynamoDB, as a share of what a
handler pays that makes `boto3.client("s3")` and `boto3.resource("dynamodb")` (measured 2026-11-24, boto3 1.43):

    boto3 clients                 0.96
    botocore clients              0.91   boto3 adds s3transfer and resources, which nothing here uses
      … garbage collector paused  0.77   the service descriptions are 40,000 objects, none of them garbage
    a third client, for SQS      +0.04   hence only when something has to be parked or put off

The endpoint is AWS's own unless AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_<SERVICE> says otherwise (botocore reads them).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_CONNECT_TIMEOUT_S = 2

# Without a byte. SQS answers a long poll after up to 20 s (API Reference, ReceiveMessage).
_READ_TIMEOUT_S = {"s3": 15, "dynamodb": 5, "sqs": 25}

# As many as a batch may have threads (SLUICE_CONCURRENCY); connections are made when needed.
_CONNECTION_COUNT = 64

_clients: dict[str, Any] = {}
_session: Any = None
_lock = Lock()


def s3() -> "S3Client":
    return cast("S3Client", _LazyClient("s3"))


def dynamodb() -> "DynamoDBClient":
    return cast("DynamoDBClient", _LazyClient("dynamodb"))


def sqs() -> "SQSClient":
    return cast("SQSClient", _LazyClient("sqs"))


def warm(*services: str) -> None:
    """Make clients now ("Best practices" of the Lambda Developer Guide: while the function is initialised)."""
    for service in services:
        _client(service)


class _LazyClient:
    """Stands for a client that is made when its first method is looked up."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(_client(self._service), name)


def _client(service: str) -> Any:
    if service not in _clients:
        with _lock, _garbage_collector_paused():
            if service not in _clients:
                _clients[service] = _create(service)
    return _clients[service]


def settings(service: str) -> "Config":
    """How a client of this service connects, waits and tries again."""
    from botocore.config import Config

    return Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S[service],
        retries={"mode": "standard", "total_max_attempts": 2},  # one hiccup; longer waits are the queue's (core.retry)
        tcp_keepalive=True,
        max_pool_connections=_CONNECTION_COUNT,
        # Else URLs that are presigned in older regions have the signature of 2006, which covers no headers.
        signature_version="s3v4" if service == "s3" else None,
        # Else presigned URLs lead to us-east-1 from everywhere. It redirects while a bucket is new ("Virtual hosting of
        # buckets", S3 User Guide), and the signature does not cover the new host. IP addresses get paths all the same.
        s3={"addressing_style": "virtual"} if service == "s3" else None,
    )


def _create(service: str) -> Any:
    import botocore.session

    global _session  # one for all: it keeps what the clients share, and making clients of it is not thread-safe
    _session = _session or botocore.session.get_session()
    return _session.create_client(service, config=settings(service))


@contextmanager
def _garbage_collector_paused() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
