"""One upload through claim, fetch, apply and confirm, with everything that can get in its way."""

import hashlib
from typing import Any

import pytest

from core.errors import OutcomeUnknownError, ProviderUnusableError, TransientError, UploadRejectedError
from core.pipeline import Ending
from core.ports import Fields, Row
from core.record import FACTS_MAX_BYTES, State, deletion_record, to_fields
from core.upload import Deleted, Deletion, Upload
from providers.memory.ledger import MemoryLedger
from tests.unit.cloud_in_memory import ATTEMPT_COUNT, CONTENT, LEASE_MARGIN_S, TIMEOUT_MS, MemoryCloud


def raising(error: BaseException) -> Any:
    """A user's function that raises."""

    def handle_upload(_upload: Upload, _stream: Any) -> None:
        raise error

    return handle_upload


def test_upload_is_recorded() -> None:
    """An upload ends with its size, sha256, content type and facts in the ledger."""
    cloud = MemoryCloud(handle_upload=lambda _u, _s: {"content_type": "a/b", "rows": 2})
    upload = cloud.put()

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    record = cloud.record(upload)
    assert outcome.ending is Ending.RECORDED
    assert (record.state, record.size_bytes) == (State.RECORDED, len(CONTENT))
    assert record.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (record.content_type, record.facts) == ("a/b", {"rows": 2})


def test_second_delivery_calls_nobody() -> None:
    """A duplicate is acknowledged without a call of the user's function."""
    cloud = MemoryCloud()
    upload = cloud.put()
    cloud.pipeline.process(cloud.attempt(upload))

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is Ending.DUPLICATE
    assert len(cloud.handled) == 1


@pytest.mark.parametrize(
    "handle_upload",
    [
        raising(ValueError("bad")),
        raising(SystemExit(1)),
        lambda _u, _s: ["no dict"],
        lambda _u, _s: {"content_type": 7},
        lambda _u, _s: {"when": object()},
        lambda _u, _s: {"share": float("nan")},
        lambda _u, _s: {"text": "x" * FACTS_MAX_BYTES},
    ],
    ids=["raises", "exits", "no dict", "content type", "no JSON", "NaN", "too much"],
)
def test_faulty_function_is_tried_then_parked(handle_upload: Any) -> None:
    """Whatever the user's function does wrong: a set number of tries, then parked with the reason, never recorded."""
    cloud = MemoryCloud(handle_upload=handle_upload)
    upload = cloud.put()

    endings = [cloud.pipeline.process(cloud.attempt(upload)).ending for _ in range(ATTEMPT_COUNT)]

    assert endings == [Ending.RETRY] * (ATTEMPT_COUNT - 1) + [Ending.PARK]
    assert cloud.state(upload) is State.PARKED
    assert "handle_upload" in cloud.record(upload).reason


def test_rejected_upload_is_parked_at_once() -> None:
    """The user's function can say that another try would not help."""
    cloud = MemoryCloud(handle_upload=raising(UploadRejectedError("not wanted")))
    upload = cloud.put()

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert (outcome.ending, outcome.reason) == (Ending.PARK, "not wanted")


def test_half_read_upload_is_measured_whole() -> None:
    """A function that reads half and closes the stream does not change size and sha256."""

    def handle_upload(_upload: Upload, stream: Any) -> None:
        stream.read(3)
        stream.close()

    cloud = MemoryCloud(handle_upload=handle_upload)
    upload = cloud.put()

    cloud.pipeline.process(cloud.attempt(upload))

    assert cloud.record(upload).sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_slow_reader_is_stopped_in_time() -> None:
    """When the function's time is nearly up the next read raises, so that the claim can still be given back."""
    cloud = MemoryCloud()

    def handle_upload(_upload: Upload, stream: Any) -> None:
        while stream.read(1):
            cloud.now_ms += TIMEOUT_MS

    cloud.handle_upload = handle_upload
    upload = cloud.put(content=b"x" * 1_000_000)

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is Ending.RETRY
    assert "time was up" in outcome.reason
    assert cloud.state(upload) is State.PENDING


def test_live_claim_is_not_acknowledged() -> None:
    """A worker that meets a live claim keeps the message until the lease ends: the winner may crash."""
    cloud = MemoryCloud(handle_upload=raising(KeyboardInterrupt()))
    upload = cloud.put()
    with pytest.raises(KeyboardInterrupt):  # the first worker dies with its claim
        cloud.pipeline.process(cloud.attempt(upload))

    outcome = cloud.pipeline.process(cloud.attempt(upload, owner="b"))

    assert outcome.ending is Ending.RETRY
    assert outcome.delay_s == TIMEOUT_MS // 1000 + LEASE_MARGIN_S + 1


def test_lapsed_claim_is_taken_over() -> None:
    """When the lease has ended, the next worker records the upload."""
    cloud = MemoryCloud(handle_upload=raising(KeyboardInterrupt()))
    upload = cloud.put()
    with pytest.raises(KeyboardInterrupt):
        cloud.pipeline.process(cloud.attempt(upload))
    cloud.now_ms += TIMEOUT_MS + LEASE_MARGIN_S * 1000
    cloud.handle_upload = lambda _u, _s: None

    outcome = cloud.pipeline.process(cloud.attempt(upload, owner="b"))

    assert outcome.ending is Ending.RECORDED
    assert (cloud.record(upload).owner, cloud.record(upload).attempt) == ("b", 2)


def test_late_confirm_is_discarded() -> None:
    """A worker that slept past its lease finds the other's record and discards its own."""
    cloud = MemoryCloud()
    upload = cloud.put()

    def sleep_while_another_works(_upload: Upload, stream: Any) -> dict[str, Any]:
        late_read = stream.read()
        cloud.now_ms += TIMEOUT_MS + LEASE_MARGIN_S * 1000
        cloud.handle_upload = lambda _u, _s: {"by": "other"}
        assert cloud.pipeline.process(cloud.attempt(upload, owner="b")).ending is Ending.RECORDED
        cloud.now_ms -= TIMEOUT_MS + LEASE_MARGIN_S * 1000  # its own clock stood still
        return {"by": "sleeper", "read": len(late_read)}

    cloud.handle_upload = sleep_while_another_works

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is Ending.DUPLICATE
    assert cloud.record(upload).facts == {"by": "other"}


def test_upload_that_kills_its_worker_is_parked() -> None:
    """Tries that end without an answer are counted by their claims."""
    cloud = MemoryCloud(handle_upload=raising(KeyboardInterrupt()))
    upload = cloud.put()
    for _ in range(ATTEMPT_COUNT):
        with pytest.raises(KeyboardInterrupt):
            cloud.pipeline.process(cloud.attempt(upload))
        cloud.now_ms += TIMEOUT_MS + LEASE_MARGIN_S * 1000

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is Ending.PARK
    assert f"{ATTEMPT_COUNT} tries ended without an answer" in outcome.reason


@pytest.mark.parametrize("error", [TransientError("busy"), ProviderUnusableError("denied")])
def test_outage_parks_nothing(error: Exception) -> None:
    """However long a provider fails, its uploads wait; their tries are not used up."""
    cloud = MemoryCloud(handle_upload=raising(error))
    upload = cloud.put()

    endings = {cloud.pipeline.process(cloud.attempt(upload, receive_count=n)).ending for n in range(1, 100)}

    assert endings == {Ending.RETRY}
    assert cloud.record(upload).attempt == 0


def test_missing_object_is_parked_and_repaired() -> None:
    """An object that is not there is tried a set number of times, then parked; once it is there, it is recorded."""
    cloud = MemoryCloud()
    upload = cloud.upload(version="1")
    endings = [cloud.pipeline.process(cloud.attempt(upload)).ending for _ in range(ATTEMPT_COUNT)]
    assert endings[-1] is Ending.PARK
    assert cloud.record(upload).reason.startswith("missing")

    cloud.put()
    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is Ending.RECORDED


@pytest.mark.parametrize(
    ("deleted", "version", "sequencer", "ending"),
    [
        (Deleted.KEY, "", "2", Ending.GONE),
        (Deleted.VERSION, "1", "2", Ending.GONE),
        (Deleted.KEY, "", "0", Ending.RETRY),
        (Deleted.VERSION, "7", "2", Ending.RETRY),
    ],
    ids=["the key later", "the version", "the key earlier", "another version"],
)
def test_deleted_before_it_was_fetched(deleted: Deleted, version: str, sequencer: str, ending: Ending) -> None:
    """An object that its owner deleted meanwhile is gone, which is no reason to wake anybody."""
    cloud = MemoryCloud()
    upload = cloud.upload(version="1")
    deletion = Deletion(deleted=deleted, cloud="aws", bucket="b", key="k", version=version, sequencer=sequencer)
    row = deletion_record(deletion, at_ms=1)
    cloud.ledger.put(row.upload.upload_id, to_fields(row), expect=None)

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is ending


def test_overwritten_before_it_was_fetched() -> None:
    """A version that the bucket did not keep is gone; the newer content is never recorded as the older."""
    cloud = MemoryCloud()
    older = cloud.put(content=b"old")
    cloud.put(content=b"new!")

    outcome = cloud.pipeline.process(cloud.attempt(older))

    assert outcome.ending is Ending.GONE
    assert cloud.record(older).sha256 == ""


def test_declared_size_is_checked() -> None:
    """An event that tells another size than the object's is parked, with both."""
    cloud = MemoryCloud()
    upload = cloud.upload(version=cloud.put().version, size_bytes=5)

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is Ending.PARK
    assert "5 bytes" in outcome.reason
    assert f"{len(CONTENT)}" in outcome.reason


def test_own_output_is_recorded_and_not_handled() -> None:
    """An object that was made from an upload starts no loop."""
    cloud = MemoryCloud()
    upload = cloud.put(derived_from="the upload")

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is Ending.RECORDED
    assert cloud.record(upload).derived_from == "the upload"
    assert cloud.handled == []


def test_event_of_another_bucket_is_parked() -> None:
    """A message cannot make the function read a bucket that is not its own."""
    cloud = MemoryCloud()
    foreign = Upload(upload_id="x", cloud="aws", bucket="other", key="k", version="1")

    outcome = cloud.pipeline.process(cloud.attempt(foreign))

    assert outcome.ending is Ending.PARK
    assert cloud.ledger.get("x") is None


def test_no_step_starts_without_time() -> None:
    """With its time nearly up, a worker claims nothing."""
    cloud = MemoryCloud()
    upload = cloud.put()
    this = cloud.attempt(upload)
    cloud.now_ms = this.deadline_at_ms - 1

    outcome = cloud.pipeline.process(this)

    assert outcome.ending is Ending.RETRY
    assert cloud.ledger.get(upload.upload_id) is None


class LosesAnswers(MemoryLedger):
    """Does the work, or does not, and never says so."""

    def __init__(self, *, lands: bool) -> None:
        super().__init__()
        self.lands = lands

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        if self.lands:
            super().put(row_id, fields, expect=expect)
        raise OutcomeUnknownError("the answer was lost")


@pytest.mark.parametrize(("lands", "ending"), [(True, Ending.RECORDED), (False, Ending.RETRY)])
def test_lost_answers(lands: bool, ending: Ending) -> None:
    """A write whose answer was lost counts if it landed; else the message comes back."""
    cloud = MemoryCloud(ledger=LosesAnswers(lands=lands))
    upload = cloud.put()

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is ending
    assert (cloud.ledger.get(upload.upload_id) is not None) == lands


class CountingLedger(MemoryLedger):
    """Notes its requests."""

    def __init__(self, requests: list[str]) -> None:
        super().__init__()
        self.requests = requests

    def get(self, row_id: str) -> Row | None:
        self.requests.append("get row")
        return super().get(row_id)

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        self.requests.append("put row")
        return super().put(row_id, fields, expect=expect)


def test_one_upload_costs_three_requests() -> None:
    """Two conditional writes and one read of the object: as many as HEAD, GET and PUT."""
    requests: list[str] = []
    cloud = MemoryCloud(ledger=CountingLedger(requests))
    cloud.handle_upload = lambda _u, _s: requests.append("handle")  # type: ignore[func-returns-value]
    upload = cloud.put()

    cloud.pipeline.process(cloud.attempt(upload))

    assert requests == ["put row", "handle", "put row"]
