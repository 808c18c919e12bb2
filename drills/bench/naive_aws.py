"""The handler that tutorials print: a file to a temporary path, two facts into a table. For comparison, not for use.

It keeps their habits: clients and resource at import, the whole object on disk, no id of its own. Only the key is
decoded here, so that it finds the objects at all.
"""

import json
import os
import tempfile
import urllib.parse
from typing import Any

import boto3

s3 = boto3.client("s3")
table = boto3.resource("dynamodb").Table(os.environ["SLUICE_LEDGER_TABLE"])


def handler(event: dict[str, Any], _context: Any) -> None:
    """Download each object and put an item."""
    for message in event["Records"]:
        for record in json.loads(message["body"])["Records"]:
            bucket = record["s3"]["bucket"]["name"]
            key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
            with tempfile.NamedTemporaryFile() as file:
                s3.download_file(bucket, key, file.name)
            table.put_item(Item={"upload_id": f"{bucket}/{key}", "bucket": bucket, "key": key})
