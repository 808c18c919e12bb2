"""What the adapters of Google Cloud make of lost answers, with the second sending really happening."""

import io
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from core.errors import OutcomeUnknownError, ProviderUnusableError, TransientError
from core.ports import OpenObject
from drills.gcp.stand_ins import FakeGcs, StandIn
from drills.supervisor import LOOPBACK, pick_free_port
from providers.gcp.clients import emulated
from providers.gcp.ledger import FirestoreLedger
from providers.gcp.object_store import GcsObjectStore
from tests.contract.gcp_server import GcpServer, TestSigner
from tests.contract.lossy_proxy import LossyProxy, lossy_proxy


@pytest.fixture(scope="module")
def firestore_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with StandIn("firestore", tmp_path_factory.mktemp("firestore")) as server:
        yield f"http://{server.http_address}"


@pytest.fixture(scope="module")
def storage_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with FakeGcs(tmp_path_factory.mktemp("storage")) as server:
        yield server.url


def behind(url: str) -> GcpServer:
    return GcpServer(storage=url, firestore=url, pubsub=url, signer=TestSigner())


class TestLedger:
    @pytest.fixture
    def proxy(self, firestore_url: str) -> Iterator[LossyProxy]:
        with lossy_proxy(firestore_url) as running:
            yield running

    @pytest.fixture
    def ledger(self, proxy: LossyProxy) -> FirestoreLedger:
        return behind(proxy.url).new_ledger()

    def test_resent_create_is_no_lost_race(self, ledger: FirestoreLedger, proxy: LossyProxy) -> None:
        """A create that landed, and was sent again because its answer was lost, has won."""
        proxy.lose_count = 1

        version = ledger.put("k", {"by": "us"}, expect=None)

        row = ledger.get("k")
        assert row is not None
        assert (row.fields, row.version, proxy.lose_count) == ({"by": "us"}, version, 0)

    def test_resent_update_is_no_lost_race(self, ledger: FirestoreLedger, proxy: LossyProxy) -> None:
        """The same for an update."""
        first = ledger.put("k", {"n": 1}, expect=None)
        proxy.lose_count = 1

        second = ledger.put("k", {"n": 2}, expect=first)

        row = ledger.get("k")
        assert row is not None
        assert (row.fields, row.version) == ({"n": 2}, second)

    def test_lost_race_stays_lost(self, ledger: FirestoreLedger, proxy: LossyProxy) -> None:
        """A refusal whose answer was lost is a lost race, when it was somebody else's row that stood in the way."""
        ledger.put("k", {"by": "us"}, expect=None)
        proxy.lose_count = 1

        assert ledger.put("k", {"by": "us"}, expect=None) is None

    def test_outcome_is_unknown_when_both_answers_are_lost(self, ledger: FirestoreLedger, proxy: LossyProxy) -> None:
        """With no answer at all the write may have landed, and here it has."""
        proxy.lose_count = 2

        with pytest.raises(OutcomeUnknownError):
            ledger.put("k", {"by": "us"}, expect=None)

        row = ledger.get("k")
        assert row is not None
        assert row.fields == {"by": "us"}

    def test_read_is_only_transient_and_sent_twice(self, ledger: FirestoreLedger, proxy: LossyProxy) -> None:
        """A read without an answer changed nothing; it is sent no more than twice."""
        proxy.lose_count = 10
        before = proxy.request_count

        with pytest.raises(TransientError) as caught:
            ledger.get("k")

        assert not isinstance(caught.value, OutcomeUnknownError)
        assert proxy.request_count - before == 2


class TestObjectStore:
    @pytest.fixture
    def proxy(self, storage_url: str) -> Iterator[LossyProxy]:
        with lossy_proxy(storage_url) as running:
            yield running

    @pytest.fixture
    def store(self, proxy: LossyProxy) -> GcsObjectStore:
        return behind(proxy.url).new_store(versioned=True)

    def test_resent_create_is_no_taken_key(self, store: GcsObjectStore, proxy: LossyProxy) -> None:
        """A conditional put that landed, and was sent again, has won, and knows its version."""
        proxy.lose_count = 1

        info = store.put("k", io.BytesIO(b"ours"), size_bytes=4, if_absent=True)

        [listed] = store.page().objects
        assert info is not None
        assert (listed.version, listed.size_bytes) == (info.version, 4)

    def test_taken_key_stays_taken(self, store: GcsObjectStore, proxy: LossyProxy) -> None:
        """A refusal whose answer was lost says that the key is taken, when the object is somebody else's."""
        store.put("k", io.BytesIO(b"same"), size_bytes=4, if_absent=True)
        proxy.lose_count = 1

        assert store.put("k", io.BytesIO(b"same"), size_bytes=4, if_absent=True) is None

    @pytest.mark.parametrize("if_absent", [True, False])
    def test_outcome_is_unknown_when_both_answers_are_lost(
        self, store: GcsObjectStore, proxy: LossyProxy, if_absent: bool
    ) -> None:
        """With no answer at all the put may have landed, and here it has."""
        proxy.lose_count = 2

        with pytest.raises(OutcomeUnknownError):
            store.put("k", io.BytesIO(b"ours"), size_bytes=4, if_absent=if_absent)

        assert [listed.key for listed in store.page().objects] == ["k"]


class _CutShort(BaseHTTPRequestHandler):
    """Announces 100 bytes and sends 50. (fake-gcs-server answers this kind of GET only under its own address.)"""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "100")
        self.send_header("last-modified", "Tue, 24 Nov 2026 04:44:18 GMT")
        self.end_headers()
        self.wfile.write(b"x" * 50)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_body_that_is_cut_short_is_transient() -> None:
    """An object that ends in its middle is an error, not a short object."""
    with HTTPServer((LOOPBACK, 0), _CutShort) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        api = emulated(f"{LOOPBACK}:{server.server_port}")
        store = GcsObjectStore(bucket="b", api=api, signer=TestSigner(), clock_ms=lambda: 0)

        with store.open("k", version="1") as found:
            assert isinstance(found, OpenObject)
            with pytest.raises(TransientError):
                list(iter(partial(found.body.read, 10), b""))
        thread.join(timeout=10)


def test_nobody_there() -> None:
    """No connection, no provider; nothing was sent, so nothing can have landed."""
    ledger = behind(f"http://{LOOPBACK}:{pick_free_port()}").new_ledger()

    with pytest.raises(ProviderUnusableError, match="row k"):
        ledger.get("k")
    with pytest.raises(ProviderUnusableError, match="row k"):
        ledger.put("k", {}, expect=None)
