"""Our stand-in for Pub/Sub: topics, subscriptions and messages in SQLite, pulled or pushed.

`python -m drills.gcp.pubsub_server --grpc-port P --http-port P --file FILE`

It is not Google's: Google's emulator needs gcloud and Java, and loses everything when it is killed. What both do is
shown by tests/drills/gcp. A message comes again when its ack deadline ends or its push fails, and so may come twice at
once, as in reality. It goes to the dead-letter topic after as many deliveries as its subscription allows. Not here:
ordering, filters, seek, streaming pull, OIDC tokens.
Unlike Pub/Sub it also answers for Cloud Monitoring, exactly and at once, and counts pulled messages as outstanding.
"""

import argparse
import base64
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from drills.gcp.rpc_server import Database, Rpc, RpcError, serve

_PUBLISHER, _SUBSCRIBER = "google.pubsub.v1.Publisher", "google.pubsub.v1.Subscriber"
_TOPIC, _SUBSCRIPTION = "projects/[^/:]+/topics/[^/:]+", "projects/[^/:]+/subscriptions/[^/:]+"
_POLL_S = 0.02
_PULL_WAIT_S = 5.0
_PUSH_CONCURRENCY = 8
_DEFAULT_ACK_DEADLINE_S = 10
_DEFAULT_BACKOFF_S = (0.1, 60.0)  # without a retry policy "as soon as possible"; a loop without any pause helps nobody
_PUSH_OK = (102, 200, 201, 202, 204)  # "Receive messages": everything else is a refusal

_TABLES = """
    create table if not exists topics (name text primary key);
    create table if not exists subscriptions (name text primary key, topic text, content blob);
    create table if not exists messages (id integer primary key autoincrement, content blob, at_ms integer);
    create table if not exists deliveries (
        subscription text, message_id integer, due_at_s real, attempt integer, ack_id text, is_out integer,
        primary key (subscription, message_id));
    create index if not exists deliveries_due on deliveries (subscription, due_at_s);
    create index if not exists deliveries_of on deliveries (message_id);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    message: Any
    ack_id: str
    attempt: int


class PubSubServer:
    """The methods, on one database file."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _TABLES)
        self._pushers = ThreadPoolExecutor(_PUSH_CONCURRENCY, thread_name_prefix="push")
        self._free_pushers = threading.Semaphore(_PUSH_CONCURRENCY)

    def create_topic(self, topic: Any) -> Any:
        with self._database.transaction() as connection:
            if connection.execute("insert or ignore into topics values (?)", (topic.name,)).rowcount == 0:
                raise RpcError("ALREADY_EXISTS", "the topic exists")
        return topic

    def get_topic(self, request: Any) -> Any:
        self._require_topic(request.topic)
        return types.Topic.pb()(name=request.topic)

    def publish(self, request: Any) -> Any:
        self._require_topic(request.topic)
        if any(not message.data and not message.attributes for message in request.messages):
            raise RpcError("INVALID_ARGUMENT", "a message has neither data nor attributes")
        return types.PublishResponse.pb()(message_ids=self._publish(request.topic, request.messages))

    def create_subscription(self, subscription: Any) -> Any:
        self._require_topic(subscription.topic)
        subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or _DEFAULT_ACK_DEADLINE_S
        row = (subscription.name, subscription.topic, subscription.SerializeToString())
        with self._database.transaction() as connection:
            if connection.execute("insert or ignore into subscriptions values (?, ?, ?)", row).rowcount == 0:
                raise RpcError("ALREADY_EXISTS", "the subscription exists")
        return subscription

    def modify_push_config(self, request: Any) -> Any:
        subscription = self._subscription(request.subscription)
        subscription.push_config.CopyFrom(request.push_config)
        with self._database.transaction() as connection:
            connection.execute(
                "update subscriptions set content = ? where name = ?",
                (subscription.SerializeToString(), subscription.name),
            )
        return empty_pb2.Empty()

    def pull(self, request: Any) -> Any:
        subscription = self._subscription(request.subscription)
        if subscription.push_config.push_endpoint:
            raise RpcError("FAILED_PRECONDITION", "the subscription pushes")
        give_up_at_s = time.monotonic() + (0 if request.return_immediately else _PULL_WAIT_S)
        deliveries = self._take(subscription, request.max_messages)
        while not deliveries and time.monotonic() < give_up_at_s:
            time.sleep(_POLL_S)
            deliveries = self._take(subscription, request.max_messages)
        answer = types.PullResponse.pb()()
        for delivery in deliveries:
            received = answer.received_messages.add(ack_id=delivery.ack_id)
            received.message.CopyFrom(delivery.message)
            if subscription.dead_letter_policy.dead_letter_topic:
                received.delivery_attempt = delivery.attempt
        return answer

    def acknowledge(self, request: Any) -> Any:
        self._subscription(request.subscription)
        self._acknowledge(request.ack_ids)
        return empty_pb2.Empty()

    def modify_ack_deadline(self, request: Any) -> Any:
        self._subscription(request.subscription)
        if not 0 <= request.ack_deadline_seconds <= 600:
            raise RpcError("INVALID_ARGUMENT", "the ack deadline is not within 0 and 600 s")
        for ack_id in request.ack_ids:
            self._put_off(ack_id, request.ack_deadline_seconds, is_out=request.ack_deadline_seconds > 0)
        return empty_pb2.Empty()

    def metric(self, path: str, query: Mapping[str, str]) -> Any:
        """Cloud Monitoring's timeSeries.list, for two metrics of one subscription."""
        wanted = re.search(
            r'subscription/(num_\w+)".*subscription_id = "([^"]+)"', query.get("filter", ""), flags=re.DOTALL
        )
        if not re.fullmatch("/v3/projects/[^/]+/timeSeries", path) or not wanted:
            return {} if path == "/" else None
        name = f"{path.removeprefix('/v3/').removesuffix('/timeSeries')}/subscriptions/{wanted[2]}"
        out = " and is_out and due_at_s > ?" if wanted[1] == "num_outstanding_messages" else " and ? > 0"
        with self._database.transaction() as connection:
            [[count]] = connection.execute(
                f"select count(*) from deliveries where subscription = ?{out}",  # noqa: S608 (two fixed texts)
                (name, time.time()),
            ).fetchall()
        return {"timeSeries": [{"points": [{"value": {"int64Value": str(count)}}]}]}

    def push_for_ever(self) -> None:
        """Push what is due, with as many connections as there are pushers."""
        while True:
            busy = False
            for subscription in self._push_subscriptions():
                while self._free_pushers.acquire(blocking=False):
                    deliveries = self._take(subscription, 1)
                    if not deliveries:
                        self._free_pushers.release()
                        break
                    busy = True
                    self._pushers.submit(self._push, subscription, deliveries[0])
            if not busy:
                time.sleep(_POLL_S)

    def _push_subscriptions(self) -> list[Any]:
        with self._database.transaction() as connection:
            rows = connection.execute("select content from subscriptions").fetchall()
        found = [types.Subscription.pb().FromString(content) for (content,) in rows]
        return [subscription for subscription in found if subscription.push_config.push_endpoint]

    def _push(self, subscription: Any, delivery: _Delivery) -> None:
        try:
            request = urllib.request.Request(  # noqa: S310 (an address that the drill gave)
                subscription.push_config.push_endpoint,
                data=json.dumps(_push_body(subscription, delivery)).encode(),
                headers={"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=subscription.ack_deadline_seconds) as answer:  # noqa: S310
                is_ok = answer.status in _PUSH_OK
        except (OSError, ValueError):
            is_ok = False
        finally:
            self._free_pushers.release()
        if is_ok:
            self._acknowledge([delivery.ack_id])
        else:
            self._put_off(delivery.ack_id, _backoff_s(subscription, delivery.attempt), is_out=False)

    def _publish(self, topic: str, messages: Sequence[Any]) -> list[str]:
        ids = []
        with self._database.transaction() as connection:
            for message in messages:
                content, at_ms = message.SerializeToString(), time.time_ns() // 1_000_000
                new = connection.execute("insert into messages (content, at_ms) values (?, ?)", (content, at_ms))
                connection.execute(
                    """insert into deliveries
                       select name, ?, 0, 0, '', 0 from subscriptions where topic = ?""",
                    (new.lastrowid, topic),
                )
                ids.append(str(new.lastrowid))
        return ids

    def _take(self, subscription: Any, limit: int) -> list[_Delivery]:
        policy = subscription.dead_letter_policy
        now_s, taken = time.time(), []
        with self._database.transaction() as connection:
            rows = connection.execute(
                """select message_id, attempt, content, at_ms from deliveries join messages on id = message_id
                   where subscription = ? and due_at_s <= ? order by message_id limit ?""",
                (subscription.name, now_s, limit),
            ).fetchall()
            for message_id, attempt, content, at_ms in rows:
                message = types.PubsubMessage.pb().FromString(content)
                if policy.dead_letter_topic and attempt >= (policy.max_delivery_attempts or 5):
                    message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = str(attempt)
                    message.attributes["CloudPubSubDeadLetterSourceSubscription"] = subscription.name.split("/")[-1]
                    self._publish(policy.dead_letter_topic, [message])
                    _delete(connection, subscription.name, message_id)
                    continue
                message.message_id = str(message_id)
                message.publish_time.FromMilliseconds(at_ms)
                ack_id = f"{subscription.name}:{message_id}:{attempt + 1}"
                connection.execute(
                    """update deliveries set due_at_s = ?, attempt = ?, ack_id = ?, is_out = 1
                       where subscription = ? and message_id = ?""",
                    (now_s + subscription.ack_deadline_seconds, attempt + 1, ack_id, subscription.name, message_id),
                )
                taken.append(_Delivery(message=message, ack_id=ack_id, attempt=attempt + 1))
        return taken

    def _acknowledge(self, ack_ids: Sequence[str]) -> None:
        with self._database.transaction() as connection:
            for ack_id in ack_ids:
                row = connection.execute(
                    "select subscription, message_id from deliveries where ack_id = ?", (ack_id,)
                ).fetchone()
                if row:
                    _delete(connection, *row)

    def _put_off(self, ack_id: str, delay_s: float, *, is_out: bool) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "update deliveries set due_at_s = ?, is_out = ? where ack_id = ?",
                (time.time() + delay_s, is_out, ack_id),
            )

    def _require_topic(self, name: str) -> None:
        with self._database.transaction() as connection:
            if not connection.execute("select 1 from topics where name = ?", (name,)).fetchone():
                raise RpcError("NOT_FOUND", "no such topic")

    def _subscription(self, name: str) -> Any:
        with self._database.transaction() as connection:
            row = connection.execute("select content from subscriptions where name = ?", (name,)).fetchone()
        if row is None:
            raise RpcError("NOT_FOUND", "no such subscription")
        return types.Subscription.pb().FromString(row[0])

    def rpcs(self) -> list[Rpc]:
        topic, subscription, empty = types.Topic, types.Subscription, empty_pb2.Empty
        ack, modify, push = types.AcknowledgeRequest, types.ModifyAckDeadlineRequest, types.ModifyPushConfigRequest
        at = rf"/v1/(?P<subscription>{_SUBSCRIPTION})"
        publisher = (
            ("CreateTopic", topic, topic.pb(), self.create_topic, ("PUT", rf"/v1/(?P<name>{_TOPIC})")),
            ("GetTopic", types.GetTopicRequest, topic.pb(), self.get_topic, ("GET", rf"/v1/(?P<topic>{_TOPIC})")),
            (
                "Publish",
                types.PublishRequest,
                types.PublishResponse.pb(),
                self.publish,
                ("POST", rf"/v1/(?P<topic>{_TOPIC}):publish"),
            ),
        )
        subscriber = (
            (
                "CreateSubscription",
                subscription,
                subscription.pb(),
                self.create_subscription,
                ("PUT", rf"/v1/(?P<name>{_SUBSCRIPTION})"),
            ),
            ("Pull", types.PullRequest, types.PullResponse.pb(), self.pull, ("POST", rf"{at}:pull")),
            ("Acknowledge", ack, empty, self.acknowledge, ("POST", rf"{at}:acknowledge")),
            ("ModifyAckDeadline", modify, empty, self.modify_ack_deadline, ("POST", rf"{at}:modifyAckDeadline")),
            ("ModifyPushConfig", push, empty, self.modify_push_config, ("POST", rf"{at}:modifyPushConfig")),
        )
        return [
            Rpc(service=service, name=name, request=request.pb(), answer=answer, run=run, http=http)
            for service, methods in ((_PUBLISHER, publisher), (_SUBSCRIBER, subscriber))
            for name, request, answer, run, http in methods
        ]


def _delete(connection: Any, subscription: str, message_id: int) -> None:
    connection.execute("delete from deliveries where subscription = ? and message_id = ?", (subscription, message_id))
    connection.execute(
        "delete from messages where id = ? and not exists (select 1 from deliveries where message_id = ?)",
        (message_id, message_id),
    )


def _backoff_s(subscription: Any, attempt: int) -> float:
    shortest_s, longest_s = _DEFAULT_BACKOFF_S
    if subscription.HasField("retry_policy"):
        policy = subscription.retry_policy
        shortest_s = policy.minimum_backoff.ToMilliseconds() / 1000
        longest_s = policy.maximum_backoff.ToMilliseconds() / 1000
    return min(longest_s, shortest_s * 2.0 ** min(attempt - 1, 16))


def _push_body(subscription: Any, delivery: _Delivery) -> dict[str, Any]:
    """The body of a wrapped push, with both spellings of its names as Pub/Sub has them."""
    message = delivery.message
    at = datetime.fromtimestamp(message.publish_time.ToMilliseconds() / 1000, UTC)
    published = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    wrapped = {
        "data": base64.b64encode(message.data).decode(),
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.attributes:
        wrapped["attributes"] = dict(message.attributes)
    body: dict[str, Any] = {"message": wrapped, "subscription": subscription.name}
    if subscription.dead_letter_policy.dead_letter_topic:
        body["deliveryAttempt"] = delivery.attempt
    return body


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    server = PubSubServer(options.file)
    threading.Thread(target=server.push_for_ever, daemon=True).start()
    serve(server.rpcs(), grpc_port=options.grpc_port, http_port=options.http_port, extra_get=server.metric)


if __name__ == "__main__":
    main()
