"""A local server that speaks as AWS does, and adapters on fresh buckets, tables and queues of it."""

import uuid
from typing import Any

import botocore.session

from providers.aws.clients import settings
from providers.aws.ledger import DynamoLedger
from providers.aws.object_store import S3ObjectStore
from providers.aws.work_queue import SqsWorkQueue

REGION = "us-east-1"


class AwsServer:
    """Clients with the functions' own settings, and what they make."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The client of a service, made once."""
        if service not in self._clients:
            self._clients[service] = botocore.session.get_session().create_client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=REGION,
                aws_access_key_id="test",  # the one that ministack knows when it checks signatures
                aws_secret_access_key="test",
                config=settings(service),
            )
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def new_store(self, *, versioned: bool) -> S3ObjectStore:
        bucket = f"bucket-{uuid.uuid4().hex[:12]}"
        s3 = self.client("s3")
        s3.create_bucket(Bucket=bucket)
        if versioned:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return S3ObjectStore(bucket=bucket, client=s3)

    def new_ledger(self) -> DynamoLedger:
        table = f"table-{uuid.uuid4().hex[:12]}"
        self.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "upload_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "upload_id", "KeyType": "HASH"}],
        )
        return DynamoLedger(table=table, client=self.client("dynamodb"))

    def new_queue(self) -> SqsWorkQueue:
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex[:12]}")["QueueUrl"]
        return SqsWorkQueue(queue_url=url, client=sqs)
