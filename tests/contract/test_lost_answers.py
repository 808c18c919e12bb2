"""What the adapters of AWS make of lost answers, with the SDK's own retries really happening."""

import io
from collections.abc import Iterator
from functools import partial

import pytest

from core.errors import OutcomeUnknownError, ProviderUnusableError, TransientError
from core.ports import OpenObject
from drills.supervisor import LOOPBACK, pick_free_port
from providers.aws.ledger import DynamoLedger
from providers.aws.object_store import S3ObjectStore
from tests.contract.aws_server import AwsServer
from tests.contract.lossy_proxy import LossyProxy, lossy_proxy


@pytest.fixture
def proxy(ministack: AwsServer) -> Iterator[LossyProxy]:
    with lossy_proxy(ministack.endpoint_url) as running:
        yield running


@pytest.fixture
def behind(proxy: LossyProxy) -> Iterator[AwsServer]:
    """The server, as seen through the proxy."""
    server = AwsServer(proxy.url)
    yield server
    server.close()


@pytest.fixture
def ledger(behind: AwsServer) -> DynamoLedger:
    return behind.new_ledger()


@pytest.fixture(params=[True, False], ids=["versioned", "unversioned"])
def store(behind: AwsServer, request: pytest.FixtureRequest) -> S3ObjectStore:
    return behind.new_store(versioned=request.param)


class TestLedger:
    def test_resent_create_is_no_lost_race(self, ledger: DynamoLedger, proxy: LossyProxy) -> None:
        """A create that landed, and was sent again because its answer was lost, has won."""
        proxy.lose_count = 1

        version = ledger.put("k", {"by": "us"}, expect=None)

        row = ledger.get("k")
        assert row is not None
        assert (row.fields, row.version) == ({"by": "us"}, version)
        assert proxy.lose_count == 0

    def test_resent_update_is_no_lost_race(self, ledger: DynamoLedger, proxy: LossyProxy) -> None:
        """The same for an update."""
        first = ledger.put("k", {"n": 1}, expect=None)
        proxy.lose_count = 1

        second = ledger.put("k", {"n": 2}, expect=first)

        row = ledger.get("k")
        assert row is not None
        assert (row.fields, row.version) == ({"n": 2}, second)

    def test_lost_race_stays_lost(self, ledger: DynamoLedger, proxy: LossyProxy) -> None:
        """A refusal whose answer was lost is a lost race, when it was somebody else's row that stood in the way."""
        version = ledger.put("k", {"by": "them"}, expect=None)
        proxy.lose_count = 1

        assert ledger.put("k", {"by": "us"}, expect=None) is None
        row = ledger.get("k")
        assert row is not None
        assert row.version == version

    def test_outcome_is_unknown_when_both_answers_are_lost(self, ledger: DynamoLedger, proxy: LossyProxy) -> None:
        """With no answer at all the write may have landed, and here it has."""
        proxy.lose_count = 2

        with pytest.raises(OutcomeUnknownError):
            ledger.put("k", {"by": "us"}, expect=None)

        row = ledger.get("k")
        assert row is not None
        assert row.fields == {"by": "us"}

    def test_read_is_only_transient(self, ledger: DynamoLedger, proxy: LossyProxy) -> None:
        """A read without an answer changed nothing, so it may simply be repeated."""
        proxy.lose_count = 2

        with pytest.raises(TransientError) as caught:
            ledger.get("k")

        assert not isinstance(caught.value, OutcomeUnknownError)

    def test_sdk_sends_no_more_than_twice(self, ledger: DynamoLedger, proxy: LossyProxy) -> None:
        """The SDK's retries do not multiply with the queue's."""
        proxy.lose_count = 10
        before = proxy.request_count

        with pytest.raises(TransientError):
            ledger.get("k")

        assert proxy.request_count - before == 2


class TestObjectStore:
    def test_resent_create_is_no_taken_key(self, store: S3ObjectStore, proxy: LossyProxy) -> None:
        """A conditional put that landed, and was sent again, has won, and knows its version."""
        proxy.lose_count = 1

        info = store.put("k", io.BytesIO(b"ours"), size_bytes=4, if_absent=True)

        [listed] = store.page().objects
        assert info is not None
        assert (listed.version, listed.size_bytes) == (info.version, 4)
        with store.open("k", version=info.version) as found:
            assert isinstance(found, OpenObject)
            assert found.body.read() == b"ours"

    def test_taken_key_stays_taken(self, store: S3ObjectStore, proxy: LossyProxy) -> None:
        """A refusal whose answer was lost says that the key is taken, when the object is somebody else's."""
        theirs = store.put("k", io.BytesIO(b"same"), size_bytes=4, if_absent=True)
        proxy.lose_count = 1

        assert store.put("k", io.BytesIO(b"same"), size_bytes=4, if_absent=True) is None
        assert theirs is not None
        assert [listed.version for listed in store.page().objects] == [theirs.version]

    @pytest.mark.parametrize("if_absent", [True, False])
    def test_outcome_is_unknown_when_both_answers_are_lost(
        self, store: S3ObjectStore, proxy: LossyProxy, if_absent: bool
    ) -> None:
        """With no answer at all the put may have landed, and here it has."""
        proxy.lose_count = 2

        with pytest.raises(OutcomeUnknownError):
            store.put("k", io.BytesIO(b"ours"), size_bytes=4, if_absent=if_absent)

        assert [listed.key for listed in store.page().objects] == ["k"]

    def test_outcome_is_unknown_when_it_cannot_be_looked_up(self, store: S3ObjectStore, proxy: LossyProxy) -> None:
        """If nobody can say whose object stands there, nothing is claimed."""
        proxy.lose_count = 1
        failing = _FailingHead(store._client)

        with pytest.raises(OutcomeUnknownError):
            S3ObjectStore(bucket=store.bucket, client=failing).put(  # type: ignore[arg-type]
                "k", io.BytesIO(b"ours"), size_bytes=4, if_absent=True
            )

    def test_body_that_is_cut_short_is_transient(self, store: S3ObjectStore, proxy: LossyProxy) -> None:
        """An object that ends in its middle is an error, not a short object."""
        info = store.put("k", io.BytesIO(b"x" * 100_000), size_bytes=100_000)
        assert info is not None
        proxy.cut_count = 1

        with store.open("k", version=info.version) as found:
            assert isinstance(found, OpenObject)
            with pytest.raises(TransientError):
                list(iter(partial(found.body.read, 10_000), b""))


class _FailingHead:
    """A client whose HeadObject asks for a bucket that is not there."""

    def __init__(self, client: object) -> None:
        self._client = client

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def head_object(self, **arguments: object) -> object:
        return self._client.head_object(**arguments | {"Bucket": "no-such-bucket"})  # type: ignore[attr-defined]


class TestNobodyThere:
    """A port of loopback where nothing listens."""

    @pytest.fixture
    def nobody(self) -> Iterator[AwsServer]:
        server = AwsServer(f"http://{LOOPBACK}:{pick_free_port()}")
        yield server
        server.close()

    def test_reads_say_that_the_provider_is_unusable(self, nobody: AwsServer) -> None:
        """No connection, no provider."""
        ledger = DynamoLedger(table="table", client=nobody.client("dynamodb"))
        store = S3ObjectStore(bucket="bucket", client=nobody.client("s3"))

        with pytest.raises(ProviderUnusableError, match="row k in table table"):
            ledger.get("k")
        with pytest.raises(ProviderUnusableError, match="bucket bucket") as caught, store.open("secret", version="v"):
            pass
        assert "secret" not in str(caught.value)

    def test_writes_promise_nothing(self, nobody: AwsServer) -> None:
        """The SDK does not tell whether it was its first or its second sending that found nobody."""
        ledger = DynamoLedger(table="table", client=nobody.client("dynamodb"))

        with pytest.raises(OutcomeUnknownError):
            ledger.put("k", {}, expect=None)
