"""Parked messages keep their payload and reason, and come back."""

from collections.abc import Sequence

import pytest

from core.errors import TransientError
from core.parking import list_parked, park, redrive
from core.ports import Message
from core.record import REASON_MAX_CHARS
from providers.memory.work_queue import MemoryWorkQueue


def new_queue() -> MemoryWorkQueue:
    return MemoryWorkQueue(clock_ms=lambda: 1_000)


def message(body: str) -> Message:
    return Message(message_id="m", body=body, receipt="r", receive_count=5)


@pytest.fixture
def parked() -> MemoryWorkQueue:
    """Twelve parked messages: more than one receive can give."""
    queue = new_queue()
    for number in range(12):
        park(queue, message(f"body {number} 🦥"), reason=f"reason {number}", at_ms=7)
    return queue


def test_payload_and_reason_are_kept(parked: MemoryWorkQueue) -> None:
    """What was parked can be seen whole, and stays where it is, however often one looks."""
    for _ in range(2):
        found = list_parked(parked, limit=100)

        assert {p.body for p in found} == {f"body {n} 🦥" for n in range(12)}
        assert {(p.reason, p.parked_at_ms, p.receive_count) for p in found} == {
            (f"reason {n}", 7, 5) for n in range(12)
        }


def test_redrive_of_some(parked: MemoryWorkQueue) -> None:
    """Only the named messages return, with their payload as it came."""
    work = new_queue()
    chosen = list_parked(parked, limit=100)[3]

    returned = redrive(parked, work, ids=[chosen.parked_id], limit=100)

    assert [p.parked_id for p in returned] == [chosen.parked_id]
    assert [m.body for m in work.receive(limit=10, wait_s=0, visibility_timeout_s=1)] == [chosen.body]
    assert len(list_parked(parked, limit=100)) == 11


def test_redrive_of_all(parked: MemoryWorkQueue) -> None:
    """Everything returns."""
    work = new_queue()

    returned = redrive(parked, work, ids=None, limit=100)

    assert len(returned) == 12
    assert (work.depth().visible_count, list_parked(parked, limit=100)) == (12, [])


def test_message_that_the_queue_moved_by_itself() -> None:
    """A native dead letter has no envelope; its payload is kept and the reason says as much as is known."""
    queue = new_queue()
    queue.send(['{"Records": []}', "no JSON"])

    bodies = {p.body: p.reason for p in list_parked(queue, limit=10)}

    assert bodies.keys() == {'{"Records": []}', "no JSON"}
    assert all("dead-letter rule" in reason for reason in bodies.values())


def test_crash_half_way_doubles_and_never_loses(parked: MemoryWorkQueue) -> None:
    """Redrive sends before it deletes."""

    class Crashing(MemoryWorkQueue):
        def send(self, bodies: Sequence[str]) -> None:
            super().send(bodies)
            raise TransientError("crashed after the message was sent")

    work = Crashing(clock_ms=lambda: 1_000)

    with pytest.raises(TransientError):
        redrive(parked, work, ids=None, limit=1)

    assert work.depth().visible_count == 1
    assert sum((parked.depth().visible_count, parked.depth().in_flight_count)) == 12


def test_long_reason_is_cut() -> None:
    """An exception's message must not make a message too long to be parked: it would come back for ever."""
    queue = new_queue()

    park(queue, message("body"), reason="x" * 300_000, at_ms=7)

    assert list_parked(queue, limit=1)[0].reason == "x" * REASON_MAX_CHARS


def test_reason_that_utf_8_cannot_hold() -> None:
    """A lone surrogate, as from a badly decoded file name, keeps no message from being parked."""
    queue = new_queue()

    park(queue, message("body"), reason="\udcff", at_ms=7)

    [held] = queue.receive(limit=1, wait_s=0, visibility_timeout_s=0)
    assert held.body.encode()


@pytest.mark.parametrize(
    "envelope",
    [
        '{"parked": 1}',
        '{"parked": 1, "reason": "r", "body": 5, "parked_at_ms": 0, "receive_count": 0}',
        '{"parked": 1, "reason": "r", "body": "b", "parked_at_ms": "soon", "receive_count": 0}',
        "[" * 40_000,
    ],
    ids=["fields missing", "body no text", "time no number", "nested too deeply"],
)
def test_broken_envelope_hides_no_other(parked: MemoryWorkQueue, envelope: str) -> None:
    """What only looks like an envelope is listed as it is, and the rest of the queue with it."""
    parked.send([envelope])

    found = list_parked(parked, limit=100)

    assert len(found) == 13
    assert found[-1].body == envelope
