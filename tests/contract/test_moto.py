"""The adapters of AWS on moto, but for presigned URLs, whose signatures it does not check."""

import pytest

from core.ports import Ledger, ObjectStore, WorkQueue
from tests.contract.aws_server import AwsServer
from tests.contract.ledger_contract import LedgerContract
from tests.contract.object_parts_contract import ObjectPartsContract
from tests.contract.object_store_contract import KeepsVersionsContract, ObjectStoreContract
from tests.contract.work_queue_contract import WorkQueueContract


class TestS3Versioned(ObjectStoreContract, KeepsVersionsContract, ObjectPartsContract):
    @pytest.fixture
    def store(self, moto: AwsServer) -> ObjectStore:
        return moto.new_store(versioned=True)


class TestS3Unversioned(ObjectStoreContract, ObjectPartsContract):
    @pytest.fixture
    def store(self, moto: AwsServer) -> ObjectStore:
        return moto.new_store(versioned=False)


class TestDynamo(LedgerContract):
    @pytest.fixture
    def ledger(self, moto: AwsServer) -> Ledger:
        return moto.new_ledger()


class TestSqs(WorkQueueContract):
    @pytest.fixture
    def queue(self, moto: AwsServer) -> WorkQueue:
        return moto.new_queue()
