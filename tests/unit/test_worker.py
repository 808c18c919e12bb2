"""Messages: what may be deleted, what comes back, what is parked."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from core.errors import TransientError, UploadRejectedError
from core.ports import Message
from core.record import State, from_fields
from core.upload import Deleted, Deletion, Ignored, Notice, Upload, deletion_id_of
from providers.memory.work_queue import MemoryWorkQueue
from tests.unit.cloud_in_memory import TIMEOUT_MS, MemoryCloud


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The worker logs what these tests provoke."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


def receive(cloud: MemoryCloud) -> Sequence[Message]:
    return cloud.work.receive(limit=10, wait_s=0, visibility_timeout_s=60)


def deadline(cloud: MemoryCloud) -> int:
    return cloud.now_ms + TIMEOUT_MS


def raise_for_poison(upload: Upload, _stream: Any) -> None:
    if upload.key == "poison":
        raise ValueError("poison")


def test_one_poison_message_in_ten() -> None:
    """Nine messages may be deleted; exactly the tenth comes back."""
    cloud = MemoryCloud(handle_upload=raise_for_poison)
    uploads = [cloud.put("poison" if number == 4 else f"good {number}") for number in range(10)]
    cloud.send(*uploads)
    messages = receive(cloud)

    back = cloud.worker.handle_batch(messages, concurrency=4, deadline_at_ms=deadline(cloud))

    assert back == [messages[4]]
    assert [cloud.state(upload) for upload in uploads].count(State.RECORDED) == 9


def test_message_that_hangs_holds_nobody_up() -> None:
    """A batch is answered before the deadline; the one that hangs comes back, and can confirm nothing later."""
    release = threading.Event()
    cloud = MemoryCloud(handle_upload=lambda u, _s: release.wait(30) and None if u.key == "hangs" else None)
    hanging, good = cloud.put("hangs"), cloud.put("good")
    cloud.send(hanging, good)
    messages = receive(cloud)

    back = cloud.worker.handle_batch(messages, concurrency=2, deadline_at_ms=cloud.now_ms + 2_500)

    assert back == [messages[0]]
    assert cloud.state(good) is State.RECORDED
    release.set()


def test_unreadable_message_is_parked_whole() -> None:
    """A body that means nothing is kept with its reason, and deleted from the work queue."""

    def parse(body: str) -> list[Notice]:
        raise UploadRejectedError("the message is no JSON")

    cloud = MemoryCloud()
    worker = replace(cloud.worker, parse=parse)
    cloud.work.send(["nonsense"])
    [message] = receive(cloud)

    assert worker.handle(message, deadline_at_ms=deadline(cloud))

    [parked] = cloud.parked.receive(limit=10, wait_s=0, visibility_timeout_s=0)
    assert "nonsense" in parked.body
    assert "the message is no JSON" in parked.body


def test_message_stays_when_parking_fails() -> None:
    """What cannot be parked is not deleted."""

    class FullQueue(MemoryWorkQueue):
        def send(self, bodies: Sequence[str]) -> None:
            raise TransientError("full")

    def reject(_upload: Upload, _stream: Any) -> None:
        raise UploadRejectedError("no")

    cloud = MemoryCloud(handle_upload=reject)
    worker = replace(cloud.worker, parked=FullQueue(clock_ms=lambda: 0))
    cloud.send(cloud.put())
    [message] = receive(cloud)

    assert not worker.handle(message, deadline_at_ms=deadline(cloud))


def test_failed_message_waits_before_it_comes_back() -> None:
    """The wait is set on the message itself, where it costs nothing."""
    cloud = MemoryCloud(handle_upload=raise_for_poison)
    cloud.send(cloud.put("poison"))
    [message] = receive(cloud)

    cloud.worker.handle(message, deadline_at_ms=deadline(cloud))

    assert receive(cloud) == []
    cloud.now_ms += 1_000  # half of the first wait's upper bound of 2 s
    assert len(receive(cloud)) == 1


def test_message_of_several_uploads_is_done_when_all_are() -> None:
    """One failing upload brings its message back; the other one is then a duplicate."""
    cloud = MemoryCloud(handle_upload=raise_for_poison)
    good, poison = cloud.put("good"), cloud.put("poison")
    worker = replace(cloud.worker, parse=lambda _body: [good, poison])
    cloud.work.send(["both"])
    [message] = receive(cloud)

    assert not worker.handle(message, deadline_at_ms=deadline(cloud))
    assert not worker.handle(message, deadline_at_ms=deadline(cloud))

    assert cloud.handled.count(good.upload_id) == 1
    assert cloud.handled.count(poison.upload_id) == 2


@pytest.mark.parametrize("order", [("1", "2"), ("2", "1"), ("2", "2")])
def test_deletion_moves_forward_only(order: tuple[str, ...]) -> None:
    """A deletion that comes late changes nothing."""
    deletion = Deletion(deleted=Deleted.KEY, cloud="aws", bucket="b", key="k", version="", sequencer="")
    cloud = MemoryCloud()

    for sequencer in order:
        notice = replace(deletion, sequencer=sequencer)
        worker = replace(cloud.worker, parse=lambda _body, notice=notice: [notice])
        assert worker.handle(Message(message_id="m", body="", receipt="r", receive_count=1), deadline_at_ms=0)

    row = cloud.ledger.get(deletion_id_of(deletion))
    assert row is not None
    assert from_fields(row.fields).upload.sequencer == "2"


def test_ignored_notice_is_deleted() -> None:
    """What is neither upload nor deletion leaves no trace."""
    cloud = MemoryCloud()
    worker = replace(cloud.worker, parse=lambda _body: [Ignored(reason="a test event")])

    assert worker.handle(Message(message_id="m", body="", receipt="r", receive_count=1), deadline_at_ms=deadline(cloud))
    assert cloud.ledger.page().rows == []


def test_unforeseen_error_brings_only_its_message_back() -> None:
    """A defect in one message's handling neither fails nor deletes the others."""

    def parse(body: str) -> list[Notice]:
        if "poison" in body:
            raise RuntimeError("a defect")
        return [Ignored(reason="fine")]

    cloud = MemoryCloud()
    worker = replace(cloud.worker, parse=parse)
    cloud.work.send(["fine", "poison"])
    messages = receive(cloud)

    assert worker.handle_batch(messages, concurrency=2, deadline_at_ms=deadline(cloud)) == [messages[1]]
    assert worker.handle_batch(messages[1:], concurrency=2, deadline_at_ms=deadline(cloud)) == [messages[1]]


def test_cancelled_function_fails_alone() -> None:
    """What is no ordinary exception brings its own message back, and not the whole batch."""

    def cancel_poison(upload: Upload, _stream: Any) -> None:
        if upload.key == "poison":
            raise asyncio.CancelledError

    cloud = MemoryCloud(handle_upload=cancel_poison)
    cloud.send(cloud.put("poison"), cloud.put("good"))
    messages = receive(cloud)

    assert cloud.worker.handle_batch(messages, concurrency=2, deadline_at_ms=deadline(cloud)) == [messages[0]]


def test_two_poisons_in_one_message_are_parked_together() -> None:
    """Though one of them has failed more often than the other, the message does not come back for ever."""
    cloud = MemoryCloud(handle_upload=raise_for_poison)
    one = cloud.put("poison")
    other = replace(one, upload_id="other")
    both = replace(cloud.worker, parse=lambda _body: [one, other])
    cloud.pipeline.process(cloud.attempt(one))
    cloud.work.send(["both"])

    for _ in range(10):
        for message in receive(cloud):
            if both.handle(message, deadline_at_ms=deadline(cloud)):
                cloud.work.acknowledge(message)
        cloud.now_ms += 900_000

    assert receive(cloud) == []
    assert cloud.parked.depth().visible_count == 1
