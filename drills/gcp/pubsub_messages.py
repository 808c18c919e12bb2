"""What our stand-in for Pub/Sub keeps in one SQLite file: topics, subscriptions, messages, and who was given which.

A delivery is one message for one subscription:

    due ──take──> out ──acknowledge──> deleted
     ^             └── the ack deadline ends, or it is put off ──> due again, or to the dead-letter topic after enough
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.pubsub_v1 import types

from drills.gcp.rpc_server import Database, RpcError

_NUMBER = re.compile(rb"\d+")

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
class Delivery:
    """A message that was given out; `attempt` counts from 1."""

    message: Any
    ack_id: str
    attempt: int


class PubSubMessages:
    """Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _TABLES)

    def add_topic(self, name: str) -> None:
        with self._database.transaction() as connection:
            if connection.execute("insert or ignore into topics values (?)", (name,)).rowcount == 0:
                raise RpcError("ALREADY_EXISTS", "the topic exists")

    def require_topic(self, name: str) -> None:
        with self._database.transaction() as connection:
            if not connection.execute("select 1 from topics where name = ?", (name,)).fetchone():
                raise RpcError("NOT_FOUND", "no such topic")

    def add_subscription(self, subscription: Any) -> None:
        row = (subscription.name, subscription.topic, subscription.SerializeToString())
        with self._database.transaction() as connection:
            if connection.execute("insert or ignore into subscriptions values (?, ?, ?)", row).rowcount == 0:
                raise RpcError("ALREADY_EXISTS", "the subscription exists")

    def replace_subscription(self, subscription: Any) -> None:
        row = (subscription.SerializeToString(), subscription.name)
        with self._database.transaction() as connection:
            connection.execute("update subscriptions set content = ? where name = ?", row)

    def subscription(self, name: str) -> Any:
        with self._database.transaction() as connection:
            row = connection.execute("select content from subscriptions where name = ?", (name,)).fetchone()
        if row is None:
            raise RpcError("NOT_FOUND", "no such subscription")
        return types.Subscription.pb().FromString(row[0])

    def subscriptions(self) -> list[Any]:
        with self._database.transaction() as connection:
            rows = connection.execute("select content from subscriptions").fetchall()
        return [types.Subscription.pb().FromString(content) for (content,) in rows]

    def publish(self, topic: str, messages: Sequence[Any]) -> list[str]:
        """Give each message to every subscription of the topic; returns the messages' ids."""
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

    def take(self, subscription: Any, limit: int) -> list[Delivery]:
        """Give out what is due, the oldest first; it is due again after the ack deadline."""
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
                    self.publish(policy.dead_letter_topic, [message])
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
                taken.append(Delivery(message=message, ack_id=ack_id, attempt=attempt + 1))
        return taken

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Forget the deliveries; an id that is no longer the last one of its delivery changes nothing."""
        with self._database.transaction() as connection:
            for ack_id in ack_ids:
                row = connection.execute(
                    "select subscription, message_id from deliveries where ack_id = ?", (ack_id,)
                ).fetchone()
                if row:
                    _delete(connection, *row)

    def put_off(self, ack_id: str, delay_s: float, *, is_out: bool) -> None:
        """Make a delivery due in `delay_s`; until then it is being worked on, or waits."""
        with self._database.transaction() as connection:
            connection.execute(
                "update deliveries set due_at_s = ?, is_out = ? where ack_id = ?",
                (time.time() + delay_s, is_out, ack_id),
            )

    def count(self, subscription: str, *, only_out: bool) -> int:
        """Deliveries that wait or are being worked on, or only the latter."""
        out = " and is_out and due_at_s > ?" if only_out else " and ? > 0"
        with self._database.transaction() as connection:
            [[count]] = connection.execute(
                f"select count(*) from deliveries where subscription = ?{out}",  # noqa: S608 (two fixed texts)
                (subscription, time.time()),
            ).fetchall()
        return int(count)

    def rename(self, names: Mapping[str, str]) -> None:
        """In all messages, put each of these numbers (old to new) where the old one stands as a whole.

        For a bucket that has been filled again and had to give its objects new generations.
        """
        with self._database.transaction() as connection:
            for message_id, content in connection.execute("select id, content from messages").fetchall():
                message = types.PubsubMessage.pb().FromString(content)
                message.data = _renamed(message.data, names)
                for name, value in dict(message.attributes).items():  # a map that is written to loses its place
                    message.attributes[name] = _renamed(value.encode(), names).decode()
                renamed = message.SerializeToString()
                connection.execute("update messages set content = ? where id = ?", (renamed, message_id))

    def close(self) -> None:
        self._database.close()


def _renamed(text: bytes, names: Mapping[str, str]) -> bytes:
    return _NUMBER.sub(lambda found: names.get(found[0].decode(), found[0].decode()).encode(), text)


def _delete(connection: Any, subscription: str, message_id: int) -> None:
    connection.execute("delete from deliveries where subscription = ? and message_id = ?", (subscription, message_id))
    connection.execute(
        "delete from messages where id = ? and not exists (select 1 from deliveries where message_id = ?)",
        (message_id, message_id),
    )
