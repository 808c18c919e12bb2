"""The embedded store."""

from pathlib import Path

import pytest

from core.ports import Cloud, Ledger, ObjectStore, WorkQueue
from providers.local.connect import connect
from tests.contract.ledger_contract import LedgerContract
from tests.contract.object_parts_contract import ObjectPartsContract, PutPart, into
from tests.contract.object_store_contract import KeepsVersionsContract, ObjectStoreContract
from tests.contract.work_queue_contract import WorkQueueContract


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return connect(str(tmp_path), cloud="aws")


class TestObjectStore(ObjectStoreContract, KeepsVersionsContract, ObjectPartsContract):
    @pytest.fixture
    def store(self, cloud: Cloud) -> ObjectStore:
        return cloud.store

    @pytest.fixture
    def put_part(self, store: ObjectStore) -> PutPart:
        return into(store)


class TestLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, cloud: Cloud) -> Ledger:
        return cloud.ledger


class TestWorkQueue(WorkQueueContract):
    @pytest.fixture
    def queue(self, cloud: Cloud) -> WorkQueue:
        return cloud.work
