"""Two deliveries that meet, and one that comes back: what the one that lost may still do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.errors import UploadRejectedError
from core.pipeline import Ending
from core.ports import Fields
from core.record import State
from core.upload import Upload
from providers.memory.ledger import MemoryLedger
from tests.unit.cloud_in_memory import ATTEMPT_COUNT, LEASE_MARGIN_S, TIMEOUT_MS, MemoryCloud

ALL_TRIES = [Ending.RETRY] * (ATTEMPT_COUNT - 1) + [Ending.PARK]


def reject(_upload: Upload, _stream: Any) -> None:
    raise UploadRejectedError("not wanted")


def fail(_upload: Upload, _stream: Any) -> None:
    raise ValueError("bad")


def die(_upload: Upload, _stream: Any) -> None:
    raise KeyboardInterrupt


def sleeping_reject(cloud: MemoryCloud, meanwhile: Callable[[], None]) -> Any:
    """A user's function that sleeps past the lease, while something happens, and then rejects."""

    def handle_upload(upload: Upload, stream: Any) -> None:
        cloud.now_ms += TIMEOUT_MS + LEASE_MARGIN_S * 1000
        meanwhile()
        reject(upload, stream)

    return handle_upload


def test_late_verdict_is_discarded() -> None:
    """A worker that slept past its lease leaves the verdict to whoever holds the claim now."""
    cloud = MemoryCloud()
    upload = cloud.put()

    def another_claims() -> None:
        cloud.handle_upload = die
        with pytest.raises(KeyboardInterrupt):
            cloud.pipeline.process(cloud.attempt(upload, owner="b"))

    cloud.handle_upload = sleeping_reject(cloud, another_claims)

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert outcome.ending is Ending.RETRY
    assert (cloud.state(upload), cloud.record(upload).owner) == (State.CLAIMED, "b")


def test_late_verdict_on_a_recorded_upload_is_a_duplicate() -> None:
    """If whoever took over has recorded the upload, nobody is woken for it."""
    cloud = MemoryCloud()
    upload = cloud.put()

    def another_records() -> None:
        cloud.handle_upload = lambda _u, _s: None
        cloud.pipeline.process(cloud.attempt(upload, owner="b"))

    cloud.handle_upload = sleeping_reject(cloud, another_records)

    outcome = cloud.pipeline.process(cloud.attempt(upload))

    assert (outcome.ending, cloud.state(upload)) == (Ending.DUPLICATE, State.RECORDED)


class MeddledLedger(MemoryLedger):
    """Another worker gets a word in before put number `at`."""

    def __init__(self) -> None:
        super().__init__()
        self.put_count = 0
        self.at = 0
        self.meddle: Callable[[], Any] = lambda: None

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        self.put_count += 1
        if self.put_count == self.at:
            self.meddle()
        return super().put(row_id, fields, expect=expect)


def test_same_bytes_put_again_move_the_record_forward() -> None:
    """Of two later events of the same content that meet, the latest counts, whichever is quicker."""
    ledger = MeddledLedger()
    cloud = MemoryCloud(ledger=ledger)
    upload = cloud.put()
    first, second, third = (replace(upload, sequencer=sequencer) for sequencer in "123")
    cloud.pipeline.process(cloud.attempt(first))
    ledger.at = ledger.put_count + 2  # after the claim that is refused, before the write of the later place
    ledger.meddle = lambda: cloud.pipeline.process(cloud.attempt(second, owner="b"))

    endings = [cloud.pipeline.process(cloud.attempt(third)).ending for _ in range(2)]

    assert endings == [Ending.RETRY, Ending.DUPLICATE]
    assert cloud.record(first).upload.sequencer == "3"


def test_second_object_of_one_id_is_no_duplicate() -> None:
    """A key of the API that was written twice: the second object is parked, never acknowledged unseen."""
    cloud = MemoryCloud()
    first = cloud.put(content=b"first")
    cloud.pipeline.process(cloud.attempt(first))
    second = replace(cloud.put(content=b"second"), upload_id=first.upload_id)

    outcome = cloud.pipeline.process(cloud.attempt(second))

    assert (outcome.ending, cloud.record(first).upload.version) == (Ending.PARK, first.version)
    assert "another object" in outcome.reason


def test_redelivered_message_gets_one_more_try_and_not_all_again() -> None:
    """When a message comes back although its upload is parked, one more failure parks it."""
    cloud = MemoryCloud(handle_upload=fail)
    upload = cloud.put()
    counts = range(1, ATTEMPT_COUNT + 2)

    endings = [cloud.pipeline.process(cloud.attempt(upload, receive_count=count)).ending for count in counts]

    assert endings == [*ALL_TRIES, Ending.PARK]


def test_redriven_message_gets_all_tries_again() -> None:
    """A redrive, or a new event, is a new message: whoever sent it wants more than one try."""
    cloud = MemoryCloud(handle_upload=fail)
    upload = cloud.put()
    counts = [*range(1, ATTEMPT_COUNT + 1)] * 2

    endings = [cloud.pipeline.process(cloud.attempt(upload, receive_count=count)).ending for count in counts]

    assert endings == ALL_TRIES * 2


def test_facts_nested_too_deeply() -> None:
    """They are the function's fault, said at once, and no crash that only the lease finds out."""
    facts: dict[str, Any] = {}
    for _ in range(5_000):
        facts = {"a": facts}
    cloud = MemoryCloud(handle_upload=lambda _u, _s: facts)

    outcome = cloud.pipeline.process(cloud.attempt(cloud.put()))

    assert outcome.ending is Ending.RETRY
    assert "what JSON can hold" in outcome.reason
