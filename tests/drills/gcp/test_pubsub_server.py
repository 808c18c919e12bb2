"""What our stand-in for Pub/Sub and Google's own emulator both do, asked with Google's unmodified clients."""

import http.server
import json
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import AlreadyExists, NotFound
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from drills.gcp.stand_ins import StandIn
from drills.supervisor import LOOPBACK
from drills.waiting import wait_until

WAIT_S = 20


class PubSub:
    """Clients, a fresh topic, and subscriptions of it."""

    def __init__(self, address: str, name: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self._channel))
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))
        self.topic = f"projects/local/topics/{name}"
        self.subscription = f"projects/local/subscriptions/{name}"

    def close(self) -> None:
        self._channel.close()

    def create(self, **settings: Any) -> None:
        self.publisher.create_topic(request={"name": self.topic}, timeout=WAIT_S)
        request = {"name": self.subscription, "topic": self.topic, **settings}
        self.subscriber.create_subscription(request=request, timeout=WAIT_S)

    def publish(self, *texts: str) -> list[str]:
        messages = [{"data": text.encode(), "attributes": {"a": "ü"}} for text in texts]
        request = {"topic": self.topic, "messages": messages}
        return list(self.publisher.publish(request=request, timeout=WAIT_S).message_ids)

    def pull(self, limit: int = 10) -> list[Any]:
        request = {"subscription": self.subscription, "max_messages": limit, "return_immediately": True}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it is deprecated, and still the only way not to wait
            return list(self.subscriber.pull(request=request, timeout=WAIT_S).received_messages)

    def pull_one(self) -> Any:
        [received] = wait_until(self.pull, timeout_s=WAIT_S, what="a message")
        return received

    def set_deadline(self, received: Any, seconds: int) -> None:
        request = {
            "subscription": self.subscription,
            "ack_ids": [received.ack_id],
            "ack_deadline_seconds": seconds,
        }
        self.subscriber.modify_ack_deadline(request=request, timeout=WAIT_S)

    def acknowledge(self, received: Any) -> None:
        request = {"subscription": self.subscription, "ack_ids": [received.ack_id]}
        self.subscriber.acknowledge(request=request, timeout=WAIT_S)


@pytest.fixture
def pubsub(pubsub_address: str) -> Iterator[PubSub]:
    found = PubSub(pubsub_address, f"t-{uuid.uuid4().hex[:8]}")
    yield found
    found.close()


class Endpoint(http.server.ThreadingHTTPServer):
    """Takes pushes and answers with `status`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.status = 204
        self.pushes: list[tuple[float, dict[str, Any]]] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.pushes.append((time.monotonic(), json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join(timeout=10)


def push_to(endpoint: Endpoint) -> dict[str, Any]:
    return {"push_config": {"push_endpoint": f"http://{LOOPBACK}:{endpoint.server_port}/"}}


def test_names_are_taken_once(pubsub: PubSub) -> None:
    """A topic is created once, and nothing is published to one that is not there."""
    pubsub.create()

    with pytest.raises(AlreadyExists):
        pubsub.create()
    with pytest.raises(NotFound):
        pubsub.publisher.publish(
            request={"topic": "projects/local/topics/nobody", "messages": [{"data": b"x"}]}, timeout=WAIT_S
        )


def test_message_is_pulled_and_acknowledged(pubsub: PubSub) -> None:
    """A message comes with its id and attributes, and once acknowledged no more."""
    pubsub.create(ack_deadline_seconds=10)
    ids = pubsub.publish("one")

    received = pubsub.pull_one()
    pubsub.set_deadline(received, 1)
    pubsub.acknowledge(received)

    assert (received.message.data, dict(received.message.attributes)) == (b"one", {"a": "ü"})
    assert [received.message.message_id] == ids
    assert not wait_until(lambda: [pubsub.pull()], timeout_s=WAIT_S, what="an answer")[0]


def test_message_comes_back(pubsub: PubSub) -> None:
    """A message whose deadline is set to 0 or ends comes again, with the same id."""
    pubsub.create(ack_deadline_seconds=10)
    pubsub.publish("one")
    first = pubsub.pull_one()

    pubsub.set_deadline(first, 0)
    second = pubsub.pull_one()
    pubsub.set_deadline(second, 1)
    third = pubsub.pull_one()

    assert first.message.message_id == second.message.message_id == third.message.message_id
    assert len({first.ack_id, second.ack_id, third.ack_id}) == 3


def test_dead_letter_after_its_deliveries(pubsub: PubSub, pubsub_address: str) -> None:
    """After five deliveries the message goes to the dead-letter topic, and says from where it came."""
    dead = PubSub(pubsub_address, f"t-{uuid.uuid4().hex[:8]}")
    dead.create()
    pubsub.create(dead_letter_policy={"dead_letter_topic": dead.topic, "max_delivery_attempts": 5})
    pubsub.publish("one")
    attempts = []

    for _ in range(5):
        received = pubsub.pull_one()
        attempts.append(received.delivery_attempt)
        pubsub.set_deadline(received, 0)
    [buried] = wait_until(lambda: pubsub.pull() or dead.pull(), timeout_s=WAIT_S, what="the dead letter")

    assert attempts == [1, 2, 3, 4, 5]
    assert buried.message.data == b"one"
    assert buried.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    dead.close()


def test_push_is_acknowledged_by_its_answer(pubsub: PubSub, endpoint: Endpoint) -> None:
    """A push that is answered with success comes once, in the shape that Google documents."""
    pubsub.create(**push_to(endpoint))
    [message_id] = pubsub.publish("one")

    wait_until(lambda: endpoint.pushes, timeout_s=WAIT_S, what="the push")

    [(_, body)] = endpoint.pushes
    assert body["subscription"] == pubsub.subscription
    assert (body["message"]["data"], body["message"]["messageId"]) == ("b25l", message_id)
    assert body["message"]["attributes"] == {"a": "ü"}


def test_failed_push_comes_again_after_a_growing_wait(pubsub: PubSub, endpoint: Endpoint) -> None:
    """A push that fails is repeated, later and later, until it succeeds."""
    endpoint.status = 500
    policy = {"minimum_backoff": {"seconds": 1}, "maximum_backoff": {"seconds": 4}}
    pubsub.create(**push_to(endpoint), retry_policy=policy)
    pubsub.publish("one")

    wait_until(lambda: len(endpoint.pushes) >= 3, timeout_s=WAIT_S, what="three pushes")
    endpoint.status = 204
    wait_until(lambda: len(endpoint.pushes) >= 4, timeout_s=WAIT_S, what="the push that succeeds")

    times = [at for at, _ in endpoint.pushes]
    assert times[1] - times[0] > 0.5
    assert times[2] - times[1] > 1.2 * (times[1] - times[0])


def test_our_messages_survive_a_kill(tmp_path: Path) -> None:
    """What was published or is in flight is there after a kill. (Google's emulator loses it, so only ours is asked.)"""
    with StandIn("pubsub", tmp_path) as server:
        before = PubSub(server.grpc_address, "topic")
        before.create(ack_deadline_seconds=10)
        ids = before.publish("in flight", "waiting")
        before.set_deadline(before.pull(limit=1)[0], 1)
        before.close()
        server.process.kill()
        server.start()
        after = PubSub(server.grpc_address, "topic")
        found: set[str] = set()

        def have_both() -> bool:
            found.update(received.message.message_id for received in after.pull())
            return found == set(ids)

        wait_until(have_both, timeout_s=WAIT_S, what="both messages")
        after.close()
