"""AWS as the core sees it."""

from core.ports import Cloud
from providers.aws import clients
from providers.aws.ledger import DynamoLedger
from providers.aws.object_store import S3ObjectStore
from providers.aws.work_queue import SqsWorkQueue


def connect(*, bucket: str, ledger_table: str, control_table: str, work_queue_url: str, parked_queue_url: str) -> Cloud:
    """The named bucket, tables and queues. Nothing is asked of them yet, and no client is made."""
    sqs = clients.sqs()
    return Cloud(
        store=S3ObjectStore(bucket=bucket, client=clients.s3()),
        ledger=DynamoLedger(table=ledger_table, client=clients.dynamodb()),
        work=SqsWorkQueue(queue_url=work_queue_url, client=sqs),
        parked=SqsWorkQueue(queue_url=parked_queue_url, client=sqs),
        control=DynamoLedger(table=control_table, client=clients.dynamodb()),
    )
