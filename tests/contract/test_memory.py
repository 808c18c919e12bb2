"""The adapters in plain memory."""

import time

import pytest

from core.ports import Ledger, ObjectStore, WorkQueue
from providers.memory.ledger import MemoryLedger
from providers.memory.object_store import MemoryObjectStore
from providers.memory.work_queue import MemoryWorkQueue
from tests.contract.ledger_contract import LedgerContract
from tests.contract.object_parts_contract import ObjectPartsContract, PutPart, into
from tests.contract.object_store_contract import ObjectStoreContract
from tests.contract.work_queue_contract import WorkQueueContract


def clock_ms() -> int:
    return time.time_ns() // 1_000_000


class TestObjectStore(ObjectStoreContract, ObjectPartsContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryObjectStore(clock_ms=clock_ms)

    @pytest.fixture
    def put_part(self, store: ObjectStore) -> PutPart:
        return into(store)


class TestLedger(LedgerContract):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger()


class TestWorkQueue(WorkQueueContract):
    @pytest.fixture
    def queue(self) -> WorkQueue:
        return MemoryWorkQueue(clock_ms=clock_ms)
