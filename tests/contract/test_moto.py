"""The adapters of AWS on moto, but for presigned URLs, whose signatures it does not check."""

import pytest

from core.ports import Ledger, ObjectStore, WorkQueue
from tests.contract.aws_server import AwsServer
from tests.contract.ledger_contract import LedgerContract
from tests.contract.object_parts_contract import ObjectPartsContract
from tests.contract.object_store_contract import KeepsVersionsContract, ObjectStoreContract
from tests.contract.work_queue_contract import WorkQueueContract


class _S3Contract(ObjectStoreContract, ObjectPartsContract):
    @pytest.mark.skip(reason="moto ends a multipart upload before its object stands; ministack has the race")
    def test_joiners_race_for_one_object(self) -> None:  # type: ignore[override]
        """See above."""


class TestS3Versioned(_S3Contract, KeepsVersionsContract):
    @pytest.fixture
    def store(self, moto: AwsServer) -> ObjectStore:
        return moto.new_store(versioned=True)


class TestS3Unversioned(_S3Contract):
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
