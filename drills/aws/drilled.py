"""The local AWS as the upload drill sees it: plain boto3, without the product's code."""

import io
from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from boto3.s3.transfer import TransferConfig

from drills.aws.cloud import LocalAws
from drills.sample_files import MIB

_MULTIPART = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)


class DrilledAws:
    """Large files are put in parts."""

    name = "aws"

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws

    def put(self, key: str, body: bytes) -> None:
        self._aws.s3.upload_fileobj(io.BytesIO(body), self._aws.bucket, key, Config=_MULTIPART)

    def scan(self) -> list[Mapping[str, Any]]:
        deserialize = TypeDeserializer().deserialize
        pages = self._aws.dynamodb.get_paginator("scan").paginate(TableName=self._aws.table, ConsistentRead=True)
        return [{name: deserialize(value) for name, value in item.items()} for page in pages for item in page["Items"]]

    @property
    def waiting_count(self) -> int:
        return self._aws.work_queue.message_count

    @property
    def parked_count(self) -> int:
        return self._aws.parked_queue.message_count

    @property
    def failed_call_count(self) -> int:
        return self._aws.function.counts.error
