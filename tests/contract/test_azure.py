"""The adapters of Azure on Azurite."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from core.ports import Ledger, ObjectStore, OpenObject, WorkQueue
from drills.azure.azurite import Azurite
from tests.contract.azure_deviations import DEVIATIONS
from tests.contract.azure_server import AzureServer
from tests.contract.ledger_contract import LedgerContract
from tests.contract.object_parts_contract import ObjectPartsContract
from tests.contract.object_store_contract import ObjectStoreContract, PresignedUrlContract
from tests.contract.work_queue_contract import WorkQueueContract


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """Blobs, queues and tables of Azurite."""
    with Azurite(tmp_path_factory.mktemp("azurite")) as azurite:
        server = AzureServer(azurite)
        yield server
        server.close()


@pytest.fixture(autouse=True)
def _expect_deviations(request: pytest.FixtureRequest) -> None:
    """Expect the named tests to fail, and say so when they no longer do."""
    reason = DEVIATIONS.get(request.node.nodeid.partition("::")[2])
    if reason:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


class TestBlob(ObjectStoreContract, PresignedUrlContract, ObjectPartsContract):
    @pytest.fixture
    def store(self, azure: AzureServer) -> ObjectStore:
        return azure.new_store()

    @pytest.mark.parametrize("key", ["a b+c%/ü", "../x"])
    def test_presigned_put_creates_the_blob(self, store: ObjectStore, key: str) -> None:
        """Anybody with the URL and its headers puts the blob; Azure answers 201."""
        presigned = store.presign_put(key, size_bytes=7, content_type="text/plain", valid_s=60)
        url = urlsplit(presigned.url)
        connection = http.client.HTTPConnection(url.netloc, timeout=10)

        connection.request("PUT", f"{url.path}?{url.query}", body=b"content", headers=dict(presigned.headers))
        status = connection.getresponse().status
        connection.close()

        [listed] = store.page().objects
        with store.open(key, version=listed.version) as found:
            assert isinstance(found, OpenObject)
            assert (status, listed.key, found.body.read()) == (201, key, b"content")


class TestTable(LedgerContract):
    @pytest.fixture
    def ledger(self, azure: AzureServer) -> Ledger:
        return azure.new_ledger()


class TestQueue(WorkQueueContract):
    @pytest.fixture
    def queue(self, azure: AzureServer) -> WorkQueue:
        return azure.new_queue()
