"""Parked messages: kept in a queue of their own, with the reason, until a person returns them to work or they run out.

A parked body is an envelope: {"parked": 1, "reason", "parked_at_ms", "receive_count", "body": the message as it came}.
A message that the cloud's own dead-letter rule moved has no envelope; its reason is then not known.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from core.ports import Message, WorkQueue
from core.record import REASON_MAX_CHARS

WIRE_VERSION = 1

# Long enough to list or return a full queue page by page, short enough that a crash hides nothing for long.
_HOLD_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """One parked message. `parked_at_ms` and `receive_count` are 0 where the cloud moved it by itself."""

    parked_id: str
    reason: str
    body: str
    parked_at_ms: int
    receive_count: int


def park(parked: WorkQueue, message: Message, *, reason: str, at_ms: int) -> None:
    """Keep a message with its reason. Acknowledge the original only after this has returned."""
    envelope = {
        "parked": WIRE_VERSION,
        "reason": reason[:REASON_MAX_CHARS],
        "parked_at_ms": at_ms,
        "receive_count": message.receive_count,
        "body": message.body,
    }
    parked.send([json.dumps(envelope)])


def list_parked(parked: WorkQueue, *, limit: int) -> list[Parked]:
    """Look at up to `limit` parked messages, and leave them where they are."""
    return [_open(message) for message in peek(parked, limit=limit)]


def peek(queue: WorkQueue, *, limit: int) -> list[Message]:
    """Receive up to `limit` messages and let them be visible again. It counts as a receive."""
    messages = list(_take(queue, limit=limit))
    for message in messages:
        queue.extend(message, visibility_timeout_s=0)
    return messages


def redrive(parked: WorkQueue, work: WorkQueue, *, ids: Collection[str] | None, limit: int) -> list[Parked]:
    """Return parked messages to the work queue: those of `ids`, or all (None). A crash half-way doubles, never loses.

    Returns:
        What was returned; at most `limit` messages are looked at.
    """
    returned = []
    for message in list(_take(parked, limit=limit)):
        if ids is not None and message.message_id not in ids:
            parked.extend(message, visibility_timeout_s=0)
            continue
        opened = _open(message)
        work.send([opened.body])
        parked.acknowledge(message)
        returned.append(opened)
    return returned


def _take(parked: WorkQueue, *, limit: int) -> Iterator[Message]:
    """Receive until the queue has no more; a message that comes twice is given once."""
    seen: set[str] = set()
    while len(seen) < limit:
        page = parked.receive(limit=min(10, limit - len(seen)), wait_s=0, visibility_timeout_s=_HOLD_S)
        fresh = [message for message in page if message.message_id not in seen]
        if not fresh:
            return
        seen.update(message.message_id for message in fresh)
        yield from fresh


def _open(message: Message) -> Parked:
    try:
        envelope = json.loads(message.body)
    except (ValueError, RecursionError):
        envelope = None
    match envelope:
        case {
            "parked": version,
            "reason": str(reason),
            "body": str(body),
            "parked_at_ms": int(at_ms),
            "receive_count": int(count),
        } if version == WIRE_VERSION:
            return Parked(
                parked_id=message.message_id, reason=reason, body=body, parked_at_ms=at_ms, receive_count=count
            )
    reason = "the queue's own dead-letter rule moved it: its tries ended without an answer"
    return Parked(parked_id=message.message_id, reason=reason, body=message.body, parked_at_ms=0, receive_count=0)
