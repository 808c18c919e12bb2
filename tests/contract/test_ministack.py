"""The adapters of AWS on ministack."""

import pytest

from core.ports import Ledger, ObjectStore, WorkQueue
from tests.contract.aws_server import AwsServer
from tests.contract.ledger_contract import LedgerContract
from tests.contract.object_parts_contract import ObjectPartsContract
from tests.contract.object_store_contract import KeepsVersionsContract, ObjectStoreContract, PresignedUrlContract
from tests.contract.work_queue_contract import WorkQueueContract


class TestS3Versioned(ObjectStoreContract, KeepsVersionsContract, PresignedUrlContract, ObjectPartsContract):
    @pytest.fixture
    def store(self, ministack: AwsServer) -> ObjectStore:
        return ministack.new_store(versioned=True)


class TestS3Unversioned(ObjectStoreContract, PresignedUrlContract, ObjectPartsContract):
    @pytest.fixture
    def store(self, ministack: AwsServer) -> ObjectStore:
        return ministack.new_store(versioned=False)


class TestDynamo(LedgerContract):
    @pytest.fixture
    def ledger(self, ministack: AwsServer) -> Ledger:
        return ministack.new_ledger()


class TestSqs(WorkQueueContract):
    @pytest.fixture
    def queue(self, ministack: AwsServer) -> WorkQueue:
        return ministack.new_queue()
