"""Stops the code under test before each call to a port, without threads.

A worker is deterministic in what it is told. To let it make its next call, run it again from the start, repeat every
answer that it got so far, let one new call through, and stop it before the one after that. To crash it, forget it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Any

from core.errors import OutcomeUnknownError, TransientError
from core.ports import Absence, Fields, Message, ObjectStore, OpenObject, Row


class Fault(StrEnum):
    """What happens to the one call that is let through."""

    NONE = ""
    FAILS = "fails"  # it raises and changes nothing
    ANSWER_LOST = "answer lost"  # it has its effect, and the caller is told that nobody knows
    WRITE_LOST = "write lost"  # it has no effect, and the caller is told that nobody knows


_WRITES = ("ledger.put", "parked.send")


class Paused(BaseException):
    """The worker stands before its next call. No `except Exception` may see this."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave or raised. `mark` tells answers apart, as text."""

    call: str
    value: Any
    mark: str


class Replay:
    """The answers that a worker got so far, and one new call."""

    def __init__(self, answers: tuple[Answer, ...], *, fault: Fault) -> None:
        self.answers = list(answers)
        self._fault = fault
        self._position = 0
        self._spent = False

    def call(self, name: str, act: Callable[[], Any]) -> Any:
        """A call to a port: repeated, or the one that is let through, or the end of this step."""
        if self._position == len(self.answers):
            if self._spent:
                raise Paused
            self._spent = True
            self._keep(name, self._act(name, act))
        return self._next(name)

    def note(self, name: str, look: Callable[[], Any]) -> Any:
        """The clock, or the user's function: what it says is kept, but it is no place to stop."""
        if self._position == len(self.answers):
            self._keep(name, look())
        return self._next(name)

    def _act(self, name: str, act: Callable[[], Any]) -> Any:
        unknown = name in _WRITES
        match self._fault:
            case Fault.FAILS:
                return TransientError("the moment failed it")
            case Fault.WRITE_LOST if unknown:
                return OutcomeUnknownError("nobody knows")
            case Fault.ANSWER_LOST if unknown:
                act()
                return OutcomeUnknownError("nobody knows")
        return act()

    def _keep(self, name: str, value: Any) -> None:
        self.answers.append(Answer(name, value, f"{name} {value!r}"))

    def _next(self, name: str) -> Any:
        answer = self.answers[self._position]
        assert answer.call == name, f"told the same, the worker did {name} and not {answer.call}"
        self._position += 1
        if isinstance(answer.value, Exception):
            raise answer.value
        return answer.value


class SteppedStore:
    """Each `open` is a step; the bytes come with it, because reading them changes nothing."""

    def __init__(self, store: ObjectStore, replay: Replay) -> None:
        self.bucket = store.bucket
        self._store = store
        self._replay = replay

    @contextmanager
    def open(self, key: str, *, version: str) -> Iterator[OpenObject | Absence]:
        found = self._replay.call("store.open", lambda: self._read(key, version))
        yield found if isinstance(found, Absence) else OpenObject(info=found[0], body=BytesIO(found[1]))

    def _read(self, key: str, version: str) -> Any:
        with self._store.open(key, version=version) as found:
            return found if isinstance(found, Absence) else (found.info, found.body.read())


class SteppedLedger:
    """Each read and each write is a step."""

    def __init__(
        self, get: Callable[[str], Row | None], put: Callable[[str, Fields, str | None], str | None], replay: Replay
    ) -> None:
        self._get = get
        self._put = put
        self._replay = replay

    def get(self, row_id: str) -> Row | None:
        return self._replay.call("ledger.get", lambda: self._get(row_id))

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        return self._replay.call("ledger.put", lambda: self._put(row_id, fields, expect))


class SteppedQueue:
    """Each call that a worker may make to a queue is a step."""

    def __init__(self, name: str, queue: Any, replay: Replay, *, acknowledge: Callable[[Message], None]) -> None:
        self._name = name
        self._queue = queue
        self._replay = replay
        self._acknowledge = acknowledge

    def send(self, bodies: list[str]) -> None:
        self._replay.call(f"{self._name}.send", lambda: self._queue.send(bodies))

    def extend(self, message: Message, *, visibility_timeout_s: int) -> None:
        self._replay.call(
            f"{self._name}.extend", lambda: self._queue.extend(message, visibility_timeout_s=visibility_timeout_s)
        )

    def acknowledge(self, message: Message) -> None:
        self._replay.call(f"{self._name}.acknowledge", lambda: self._acknowledge(message))
