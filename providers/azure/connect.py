"""Azure as the core sees it."""

from core.ports import Cloud
from providers.azure import clients
from providers.azure.ledger import TableLedger
from providers.azure.object_store import BlobObjectStore
from providers.azure.work_queue import StorageWorkQueue


def connect(*, bucket: str, ledger_table: str, control_table: str, work_queue: str, parked_queue: str) -> Cloud:
    """The named container, tables and queues. Nothing is asked of them yet."""
    queues = clients.queues()
    return Cloud(
        store=BlobObjectStore(bucket=bucket, client=clients.blobs()),
        ledger=TableLedger(table=ledger_table, client=clients.tables()),
        work=StorageWorkQueue(queue=work_queue, client=queues),
        parked=StorageWorkQueue(queue=parked_queue, client=queues),
        control=TableLedger(table=control_table, client=clients.tables()),
    )
