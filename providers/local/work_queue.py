"""Messages in a table of SQLite, with visibility timeouts as in SQS."""

import time
from collections.abc import Callable, Sequence

from core.ports import Depth, Message
from providers.local.database import Database

_POLL_S = 0.05


class LocalWorkQueue:
    """One queue; several share a database under their names."""

    def __init__(self, database: Database, *, name: str, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._name = name
        self._clock_ms = clock_ms

    def send(self, bodies: Sequence[str]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "insert into messages (queue, body, visible_at_ms, receive_count) values (?, ?, 0, 0)",
                [(self._name, body) for body in bodies],
            )

    def receive(self, *, limit: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        give_up_at_s = time.monotonic() + wait_s
        while True:
            messages = self._take(limit, visibility_timeout_s)
            if messages or time.monotonic() >= give_up_at_s:
                return messages
            time.sleep(_POLL_S)

    def acknowledge(self, message: Message) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "delete from messages where id = ? and queue = ? and receive_count = ?",
                (message.receipt.partition("/")[0], self._name, message.receive_count),
            )

    def extend(self, message: Message, *, visibility_timeout_s: int) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "update messages set visible_at_ms = ? where id = ? and queue = ? and receive_count = ?",
                (
                    self._clock_ms() + visibility_timeout_s * 1000,
                    message.receipt.partition("/")[0],
                    self._name,
                    message.receive_count,
                ),
            )

    def depth(self) -> Depth:
        with self._database.transaction() as connection:
            total, visible = connection.execute(
                "select count(*), count(case when visible_at_ms <= ? then 1 end) from messages where queue = ?",
                (self._clock_ms(), self._name),
            ).fetchone()
        return Depth(visible_count=visible, in_flight_count=total - visible)

    def _take(self, limit: int, visibility_timeout_s: int) -> list[Message]:
        now_ms = self._clock_ms()
        with self._database.transaction() as connection:
            rows = connection.execute(
                """update messages set visible_at_ms = ?, receive_count = receive_count + 1 where id in (
                       select id from messages where queue = ? and visible_at_ms <= ? order by id limit ?
                   ) returning id, body, receive_count""",
                (now_ms + visibility_timeout_s * 1000, self._name, now_ms, limit),
            ).fetchall()
        return [
            Message(message_id=str(i), body=body, receipt=f"{i}/{count}", receive_count=count)
            for i, body, count in sorted(rows)
        ]
