"""The same job as Sluice's, done with Powertools for AWS Lambda: its batch processing and its idempotency."""

import hashlib
import json
import os
import urllib.parse
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from handlers.logic import sniff

s3 = boto3.client("s3")
table = boto3.resource("dynamodb").Table(os.environ["SLUICE_LEDGER_TABLE"])
processor = BatchProcessor(event_type=EventType.SQS)
idempotency = IdempotencyConfig(event_key_jmespath="[bucket, key, version]")
claims = DynamoDBPersistenceLayer(table_name=os.environ["BENCH_CLAIMS_TABLE"])


@idempotent_function(data_keyword_argument="upload", config=idempotency, persistence_store=claims)  # type: ignore[untyped-decorator]
def record_upload(upload: dict[str, str]) -> dict[str, Any]:
    """Stream the object once; record its size, sha256 and content type."""
    body = s3.get_object(Bucket=upload["bucket"], Key=upload["key"], VersionId=upload["version"])["Body"]
    sha256 = hashlib.sha256()
    size_bytes = 0
    content_type = ""
    for chunk in body.iter_chunks(256 * 1024):
        content_type = content_type or sniff(chunk[:8192], key=upload["key"])
        sha256.update(chunk)
        size_bytes += len(chunk)
    facts: dict[str, Any] = {"size_bytes": size_bytes, "sha256": sha256.hexdigest(), "content_type": content_type}
    table.put_item(Item={"upload_id": "/".join(upload.values()), **upload, **facts})
    return facts


def record_handler(record: SQSRecord) -> None:
    """Handle one message of a batch."""
    for notified in json.loads(record.body)["Records"]:
        found = notified["s3"]["object"]
        key = urllib.parse.unquote_plus(found["key"])
        record_upload(upload={"bucket": notified["s3"]["bucket"]["name"], "key": key, "version": found["versionId"]})


def handler(event: dict[str, Any], context: Any) -> Any:
    """Answer with the messages that must come back."""
    idempotency.register_lambda_context(context)
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)
