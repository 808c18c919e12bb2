"""What every work queue promises. This is the port's definition; subclasses stand beside the adapters."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from threading import Lock

import pytest

from core.ports import Depth, Message, WorkQueue
from drills.waiting import wait_until
from tests.contract.racing import race

BODY_MAX_BYTES = 48_000

BODIES = {
    "JSON": json.dumps({"key": "a/b ü😀"}, ensure_ascii=False),
    "markup": "<a>&amp;]]>\"'</a>",
    "line breaks": "a\tb\nc\r\nd",
    "unicode": "ü😀日本\u2028",
    "one character": "x",
    "the longest": "x" * BODY_MAX_BYTES,
    "the longest, wide": "\u65e5" * (BODY_MAX_BYTES // 3),
}


def receive(queue: WorkQueue, *, limit: int = 10, visibility_timeout_s: int = 60) -> Sequence[Message]:
    return queue.receive(limit=limit, wait_s=0, visibility_timeout_s=visibility_timeout_s)


def receive_one(queue: WorkQueue, *, visibility_timeout_s: int = 60) -> Message:
    """The one message that is there, or will be within a few seconds."""
    messages = wait_until(
        lambda: receive(queue, visibility_timeout_s=visibility_timeout_s), timeout_s=10, what="a message"
    )
    [message] = messages
    return message


def receive_all(queue: WorkQueue, *, count: int) -> list[Message]:
    """Receive until there are `count` messages; none is acknowledged."""
    messages: list[Message] = []

    def have_all() -> bool:
        messages.extend(receive(queue))
        return len(messages) >= count

    wait_until(have_all, timeout_s=20, what=f"{count} messages")
    return messages


class WorkQueueContract:
    """Give the `queue` fixture: an empty queue by the real clock."""

    def test_empty_queue_gives_nothing(self, queue: WorkQueue) -> None:
        """A receive without messages is no error."""
        assert list(receive(queue)) == []
        assert queue.depth() == Depth(visible_count=0, in_flight_count=0)

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_body_is_received_as_sent(self, queue: WorkQueue, body: str) -> None:
        """Text comes through unchanged, up to the longest."""
        queue.send([body])

        message = receive_one(queue)

        assert (message.body, message.receive_count) == (body, 1)

    def test_send_of_nothing_sends_nothing(self, queue: WorkQueue) -> None:
        """No bodies, no messages, no error."""
        queue.send([])

        assert list(receive(queue)) == []

    @pytest.mark.parametrize(("count", "body_bytes"), [(1, 10), (10, 10), (11, 10), (25, BODY_MAX_BYTES)])
    def test_many_are_all_sent(self, queue: WorkQueue, count: int, body_bytes: int) -> None:
        """Any number of bodies is sent, each once, whatever a batch may hold."""
        bodies = [f"{number:03}".ljust(body_bytes, "x") for number in range(count)]

        queue.send(bodies)

        messages = receive_all(queue, count=count)
        assert Counter(m.body for m in messages) == Counter(bodies)
        assert len({m.message_id for m in messages}) == count

    @pytest.mark.parametrize("limit", [1, 3, 10])
    def test_receive_keeps_to_its_limit(self, queue: WorkQueue, limit: int) -> None:
        """No more messages come than were asked for."""
        queue.send([str(number) for number in range(12)])

        assert 1 <= len(receive(queue, limit=limit)) <= limit

    def test_received_message_is_hidden(self, queue: WorkQueue) -> None:
        """Nobody else gets a message while its visibility timeout runs."""
        queue.send(["body"])
        receive_one(queue)

        assert list(receive(queue)) == []
        assert queue.depth() == Depth(visible_count=0, in_flight_count=1)

    def test_message_comes_back_after_its_timeout(self, queue: WorkQueue) -> None:
        """A message that nobody acknowledged comes again, counted, under the same id, with another receipt."""
        queue.send(["body"])
        first = receive_one(queue, visibility_timeout_s=1)
        received_s = time.monotonic()

        second = receive_one(queue)

        assert time.monotonic() - received_s > 0.5
        assert (second.message_id, second.body, second.receive_count) == (first.message_id, "body", 2)
        assert second.receipt != first.receipt

    def test_acknowledged_message_is_gone(self, queue: WorkQueue) -> None:
        """An acknowledged message does not come back, not even when its visibility timeout ends."""
        queue.send(["body", "another"])
        messages = {m.body: m for m in receive_all(queue, count=2)}

        queue.extend(messages["body"], visibility_timeout_s=1)
        queue.acknowledge(messages["body"])
        queue.extend(messages["another"], visibility_timeout_s=1)

        assert receive_one(queue).body == "another"
        assert queue.depth() == Depth(visible_count=0, in_flight_count=1)

    def test_extend_by_nothing_returns_the_message(self, queue: WorkQueue) -> None:
        """With a timeout of 0 the message is there again at once."""
        queue.send(["body"])
        first = receive_one(queue)

        queue.extend(first, visibility_timeout_s=0)

        assert receive_one(queue).receive_count == 2

    def test_extended_message_stays_hidden(self, queue: WorkQueue) -> None:
        """The time counts from the extension, and replaces what was left."""
        queue.send(["long", "short"])
        messages = {m.body: m for m in receive(queue, visibility_timeout_s=1)}

        queue.extend(messages["long"], visibility_timeout_s=60)

        assert receive_one(queue).body == "short"
        assert list(receive(queue)) == []

    def test_messages_of_one_answer_are_apart(self, queue: WorkQueue) -> None:
        """What is done to one message does nothing to another that came with it, whatever their receipts are."""
        queue.send([str(number) for number in range(4)])
        messages = receive_all(queue, count=4)

        for message in messages:
            queue.extend(message, visibility_timeout_s=60)
        for message in messages:
            queue.extend(message, visibility_timeout_s=0)

        again = receive_all(queue, count=4)
        assert sorted(message.body for message in again) == ["0", "1", "2", "3"]
        for message in again:
            queue.acknowledge(message)
        assert list(receive(queue)) == []

    def test_gone_message_takes_no_harm(self, queue: WorkQueue) -> None:
        """Acknowledging and extending what is gone does nothing."""
        queue.send(["body"])
        message = receive_one(queue)
        queue.acknowledge(message)

        queue.acknowledge(message)
        queue.extend(message, visibility_timeout_s=0)

        assert list(receive(queue)) == []

    def test_old_receipt_is_no_error(self, queue: WorkQueue) -> None:
        """A receipt that is no longer the latest may or may not work, but raises nothing and doubles nothing."""
        queue.send(["body"])
        first = receive_one(queue)
        queue.extend(first, visibility_timeout_s=0)
        second = receive_one(queue)

        queue.extend(first, visibility_timeout_s=60)
        queue.acknowledge(first)
        queue.acknowledge(second)

        assert queue.depth() == Depth(visible_count=0, in_flight_count=0)

    def test_message_without_receipt_is_no_error(self, queue: WorkQueue) -> None:
        """A message that came without a queue can be settled like any other, and touches no other."""
        queue.send(["body"])
        direct = Message(message_id="direct", body="body", receipt="", receive_count=1)

        queue.extend(direct, visibility_timeout_s=60)
        queue.acknowledge(direct)

        assert receive_one(queue).body == "body"

    def test_depth_counts_both_kinds(self, queue: WorkQueue) -> None:
        """What waits and what is being worked on are told apart."""
        queue.send(["a", "b", "c"])
        receive(queue, limit=1)

        assert queue.depth() == Depth(visible_count=2, in_flight_count=1)

    def test_consumers_share_the_work(self, queue: WorkQueue) -> None:
        """Four that receive and acknowledge at once get everything, and leave nothing."""
        bodies = [str(number) for number in range(100)]
        queue.send(bodies)
        got: list[str] = []
        lock = Lock()

        def consume(_: int) -> None:
            while messages := receive(queue):
                for message in messages:
                    queue.acknowledge(message)
                with lock:
                    got.extend(m.body for m in messages)

        race(consume, racer_count=4)

        assert set(got) == set(bodies)
        assert queue.depth() == Depth(visible_count=0, in_flight_count=0)
