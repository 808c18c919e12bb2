"""One cloud in virtual time: two workers, a queue that delivers at least once, and what must always be true.

A worker moves by one call to a port at a time; between two calls it may crash, be overtaken, or sleep past its lease.
"""

import copy
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from typing import Any

from core.errors import UploadRejectedError
from core.pipeline import Pipeline
from core.ports import Fields, Message
from core.record import State, from_fields
from core.retry import RetryPolicy
from core.upload import Upload
from core.worker import Worker
from providers.memory.ledger import MemoryLedger
from providers.memory.object_store import MemoryObjectStore
from providers.memory.work_queue import MemoryWorkQueue
from tests.simulation.replay import Answer, Fault, Paused, Replay, SteppedLedger, SteppedQueue, SteppedStore

WORKERS = ("A", "B")
FUNCTION_S = 20
LEASE_MARGIN_S = 5
VISIBILITY_S = 30
JUMP_S = 40  # longer than any lease, visibility timeout and wait
ROUND_COUNT = 60  # of fair work; whatever is not done by then is never done
SETTLED = ("recorded", "gone")


class Violation(BaseException):
    """Something happened that must never happen. No `except Exception` of the code under test may swallow it."""


@dataclass(frozen=True)
class Setting:
    """What a world starts with, and which code works in it.

    Attributes:
        messages: Each names the uploads that it tells of, parted by blanks.
        raises: How often the user's function raises before it works, by upload; a negative number: rejects.
        missing: Uploads whose object is not there.
    """

    messages: tuple[str, ...] = ("x", "x")
    raises: Mapping[str, int] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    attempt_count: int = 5
    lease_margin_s: int = LEASE_MARGIN_S
    pipeline: type[Pipeline] = Pipeline
    worker: type[Worker] = Worker
    ledger: type[MemoryLedger] = MemoryLedger

    @cached_property
    def uploads(self) -> tuple[str, ...]:
        return tuple(sorted({name for message in self.messages for name in message.split()}))

    @cached_property
    def store(self) -> MemoryObjectStore:
        store = MemoryObjectStore()
        for name in self.uploads:
            if name not in self.missing:
                store.put(name, BytesIO(content_of(name)), size_bytes=len(content_of(name)))
        return store

    @cached_property
    def versions(self) -> dict[str, str]:
        return {info.key: info.version for info in self.store.page().objects}

    def parse(self, body: str) -> list[Upload]:
        return [
            Upload(upload_id=name, cloud="memory", bucket="memory", key=name, version=self.versions.get(name, ""))
            for name in body.split()
        ]


def content_of(name: str) -> bytes:
    return f"the content of {name}".encode()


@dataclass(frozen=True, slots=True)
class Run:
    """One worker with one message. `answers` is all that it was told, and so all that it knows."""

    message: Message
    deadline_at_ms: int
    answers: tuple[Answer, ...] = ()
    is_finished: bool = False


class World:
    """The state of everything, to be forked at will."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.now_ms = 1_000_000
        self.ledger = setting.ledger()
        self.work = MemoryWorkQueue(clock_ms=lambda: self.now_ms)
        self.parked = MemoryWorkQueue(clock_ms=lambda: self.now_ms)
        self.runs: dict[str, Run] = {}
        self.handling: dict[str, tuple[str, int]] = {}  # by worker: the upload, and until when nobody else may
        self.calls: Counter[str] = Counter()
        self.lapse_count = 0
        self.work.send(setting.messages)

    def fork(self) -> "World":
        twin = copy.copy(self)
        twin.ledger = copy.copy(self.ledger)
        twin.ledger._rows = dict(self.ledger._rows)
        twin.work, twin.parked = twin._fork_queue(self.work), twin._fork_queue(self.parked)
        twin.runs, twin.handling, twin.calls = dict(self.runs), dict(self.handling), self.calls.copy()
        return twin

    def _fork_queue(self, queue: MemoryWorkQueue) -> MemoryWorkQueue:
        twin = copy.copy(queue)
        twin._messages = {message_id: copy.copy(held) for message_id, held in queue._messages.items()}
        twin._clock_ms = lambda: self.now_ms
        return twin

    def key(self) -> object:
        """Two worlds with equal keys have equal futures."""
        queues = (self.work._messages.items(), self.parked._messages.items())
        return (
            self.now_ms,
            self.lapse_count,
            tuple((i, row.version, tuple(row.fields.items())) for i, row in sorted(self.ledger._rows.items())),
            tuple(tuple((i, h.body, h.visible_at_ms, h.receive_count) for i, h in queue) for queue in queues),
            tuple(
                (name, run.message.receipt, run.deadline_at_ms, run.is_finished, *(a.mark for a in run.answers))
                for name, run in sorted(self.runs.items())
            ),
            tuple(sorted(self.handling.items())),
            tuple(sorted(self.calls.items())),
        )

    # What may happen next.

    def step(self, name: str, fault: Fault = Fault.NONE) -> None:
        """A worker receives a message, makes its next call, or has the queue forget the message it is done with."""
        run = self.runs.get(name)
        if run is None:
            self._receive(name)
        elif run.is_finished:
            if fault is not Fault.FAILS:
                self._acknowledge(run.message)
            self._end(name)
        else:
            self._go_on(name, run, fault)
        self.check()

    def crash(self, name: str) -> None:
        if name in self.runs:
            self.lapse_count += 1
            self._end(name)

    def jump(self) -> None:
        """Time passes beyond every lease and every wait; a worker that has not answered goes on later, or never."""
        self.lapse_count += len(self.runs)
        self.now_ms += JUMP_S * 1000

    def redeliver(self) -> None:
        """The queue delivers again what is still being worked on."""
        for held in self.work._messages.values():
            held.visible_at_ms = 0

    def finish(self, known: set[object] | None = None) -> None:
        """Let everything that is left happen, without crash or fault, and check how it ends.

        Args:
            known: Keys of worlds that end well; what is learnt is added.
        """
        known = set() if known is None else known
        path = []
        for _ in range(ROUND_COUNT):
            path.append(self.key())
            if path[-1] in known:
                known.update(path)
                return
            for name in WORKERS:
                self.step(name)
                while name in self.runs:
                    self.step(name)
            if not self.work._messages:
                self._check_end()
                known.update(path)
                return
            self.now_ms += JUMP_S * 1000
        raise Violation("the work never ends")

    def _receive(self, name: str) -> None:
        for message in self.work.receive(limit=1, wait_s=0, visibility_timeout_s=VISIBILITY_S):
            self.runs[name] = Run(message, self.now_ms + FUNCTION_S * 1000)

    def _go_on(self, name: str, run: Run, fault: Fault) -> None:
        replay = Replay(run.answers, fault=fault)
        try:
            is_done = self._worker(name, replay).handle(run.message, deadline_at_ms=run.deadline_at_ms)
        except Paused:
            self.runs[name] = replace(run, answers=tuple(replay.answers))
        else:
            self.handling.pop(name, None)
            self.runs[name] = replace(run, answers=(), is_finished=True)
            if not is_done:
                self._end(name)

    def _worker(self, name: str, replay: Replay) -> Worker:
        ledger = SteppedLedger(
            lambda row_id: self.ledger.get(row_id), lambda *arguments: self._put(name, *arguments), replay
        )
        pipeline = self.setting.pipeline(
            cloud="memory",
            store=SteppedStore(self.setting.store, replay),
            ledger=ledger,
            handle_upload=lambda upload, _: replay.note("handle", lambda: self._handle_upload(name, upload)),
            clock_ms=lambda: replay.note("clock", lambda: self.now_ms),
            policy=RetryPolicy(attempt_count=self.setting.attempt_count, max_delay_s=FUNCTION_S),
            lease_margin_s=self.setting.lease_margin_s,
        )
        return self.setting.worker(
            pipeline=pipeline,
            work=SteppedQueue("work", self.work, replay, acknowledge=self._acknowledge),
            parked=SteppedQueue("parked", self.parked, replay, acknowledge=self._acknowledge),
            parse=self.setting.parse,
            owner=name,
            jitter=lambda: 0.5,
        )

    def _end(self, name: str) -> None:
        del self.runs[name]
        self.handling.pop(name, None)

    # What must be true.

    def _put(self, name: str, row_id: str, fields: Fields, expect: str | None) -> str | None:
        before = self.ledger.get(row_id)
        version = self.ledger.put(row_id, fields, expect=expect)
        if version is not None:
            if before is not None and before.fields["state"] == State.RECORDED:
                raise Violation(f"{row_id} was recorded, and then written again")
            if fields["state"] != State.CLAIMED:
                self.handling.pop(name, None)
        return version

    def _handle_upload(self, name: str, upload: Upload) -> Any:
        for other, (upload_id, until_ms) in self.handling.items():
            if other != name and upload_id == upload.upload_id and until_ms >= self.now_ms:
                raise Violation(f"{name} and {other} handle {upload_id} at the same time")
        claim = self.ledger.get(upload.upload_id)
        if claim is None or int(claim.fields["attempt"]) > self.setting.attempt_count:
            raise Violation(f"{upload.upload_id} is tried without end")
        self.handling[name] = upload.upload_id, self.runs[name].deadline_at_ms
        self.calls[upload.upload_id] += 1
        raise_count = self.setting.raises.get(upload.upload_id, 0)
        if raise_count < 0:
            return UploadRejectedError("rejected")
        if self.calls[upload.upload_id] <= raise_count:
            return ValueError("raised")
        return {"handled": upload.upload_id}

    def _acknowledge(self, message: Message) -> None:
        self.work.acknowledge(message)
        for name in message.body.split():
            if not self._is_settled(name) and not self._is_parked(name):
                raise Violation(f"{name} was acknowledged before it was recorded, parked or gone")

    def check(self) -> None:
        queued = {name for held in self.work._messages.values() for name in held.body.split()}
        for name in self.setting.uploads:
            if name not in queued and not self._is_settled(name) and not self._is_parked(name):
                raise Violation(f"{name} is lost: no record, no message")

    def _check_end(self) -> None:
        for name in self.setting.uploads:
            row = self.ledger.get(name)
            record = from_fields(row.fields) if row else None
            if record is not None and record.state is State.RECORDED:
                if record.sha256 != sha256(content_of(name)).hexdigest() or record.facts != {"handled": name}:
                    raise Violation(f"{name} was recorded wrong")
            elif record is None or record.state is not State.PARKED or not record.reason or not self._is_parked(name):
                raise Violation(f"{name} ended as {record}")
            elif not self._may_be_parked(name):
                raise Violation(f"{name} was parked, and only the moment was to blame: {record.reason}")

    def _may_be_parked(self, name: str) -> bool:
        raise_count = self.setting.raises.get(name, 0)
        blame_count = raise_count + self.lapse_count
        return name in self.setting.missing or raise_count < 0 or blame_count >= self.setting.attempt_count

    def _is_settled(self, name: str) -> bool:
        row = self.ledger.get(name)
        return row is not None and row.fields["state"] in SETTLED

    def _is_parked(self, name: str) -> bool:
        envelopes = [json.loads(held.body) for held in self.parked._messages.values()]
        return any(name in envelope["body"].split() and envelope["reason"] for envelope in envelopes)
