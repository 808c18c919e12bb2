"""Azurite, and adapters on fresh containers, tables and queues of it."""

import uuid

from drills.azure.azurite import Azurite
from providers.azure.account import Service
from providers.azure.ledger import TableLedger
from providers.azure.object_store import BlobObjectStore
from providers.azure.rest import Storage
from providers.azure.work_queue import StorageWorkQueue


class AzureServer:
    """Clients with the functions' own settings, and what they make."""

    def __init__(self, azurite: Azurite) -> None:
        self.clients = {service: Storage(azurite.account, service) for service in Service}

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def new_store(self) -> BlobObjectStore:
        name = f"container-{uuid.uuid4().hex[:12]}"
        self.clients[Service.BLOB].call("PUT", f"/{name}", query={"restype": "container"})
        return BlobObjectStore(bucket=name, client=self.clients[Service.BLOB])

    def new_ledger(self) -> TableLedger:
        name = f"table{uuid.uuid4().hex[:12]}"
        headers = {"Content-Type": "application/json", "Accept": "application/json;odata=nometadata"}
        body = b'{"TableName": "%s"}' % name.encode()
        self.clients[Service.TABLE].call("POST", "/Tables", headers=headers, body=body)
        return TableLedger(table=name, client=self.clients[Service.TABLE])

    def new_queue(self) -> StorageWorkQueue:
        name = f"queue-{uuid.uuid4().hex[:12]}"
        self.clients[Service.QUEUE].call("PUT", f"/{name}")
        return StorageWorkQueue(queue=name, client=self.clients[Service.QUEUE])
