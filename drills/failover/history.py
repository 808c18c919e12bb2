"""What was seen in a drill: every try of every upload, the ledgers at the end, routes and votes over time.

It is all that the judge gets, so a saved history can be judged again. Instants are UTC epoch milliseconds.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a client.

    Attributes:
        cloud: That it was sent to.
        key: Of the object, on the bucket road; else "".
        error: "" if it was acknowledged.
    """

    cloud: str
    began_at_ms: int
    ended_at_ms: int
    error: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One file that a client sent.

    Attributes:
        name: Unique in the drill; the last part of every object's key.
        upload_id: Of the receipt; "" where there is none (the bucket road has no receipts).
        attempts: In order. If one was acknowledged, it is the last.
    """

    road: str
    name: str
    sha256: str
    size_bytes: int
    upload_id: str = ""
    attempts: tuple[Attempt, ...]

    @property
    def is_acknowledged(self) -> bool:
        return bool(self.attempts) and not self.attempts[-1].error

    @property
    def began_at_ms(self) -> int:
        return self.attempts[0].began_at_ms

    @property
    def ended_at_ms(self) -> int:
        return self.attempts[-1].ended_at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One fault, from when to when."""

    cloud: str
    fault: str
    what: str
    from_at_ms: int
    to_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `kind`: fault, heal, route, health, dns, operator or note."""

    at_ms: int
    kind: str
    cloud: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When what was first seen; 0: never, or not looked for.

    Attributes:
        suspected_at_ms: The first vote that suspects a cloud with a fault.
        moved_at_ms: A majority first held a route to another cloud, after the first fault or action.
        back_at_ms: A majority held the route to the preferred cloud again, after that.
        drain_at_ms: A standby began to work off a cloud's queue.
        healed_agreed_at_ms: The ledgers first agreed on everything acknowledged before the last fault's end.
        load_ended_at_ms: The last client had its answer.
        agreed_at_ms: The ledgers first agreed on everything; 0: not within the time allowed.
    """

    suspected_at_ms: int = 0
    moved_at_ms: int = 0
    back_at_ms: int = 0
    drain_at_ms: int = 0
    healed_agreed_at_ms: int = 0
    load_ended_at_ms: int = 0
    agreed_at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything.

    Attributes:
        scenario: name, title, description, seed.
        about: target, copies, clouds, roads, load_per_s (files a second by road), machine, what_is_real.
        goals: The most that a figure may be, by its id.
        phases: before, during, after: (name, from, to).
        ledgers: Of each cloud, its rows in the documented format (core/record.py), as its vendor's client reads them.
        executions: How many calls of `process` said that they recorded an upload, by upload id, from their logs;
            None where these cannot be read.
        troubles: What went wrong with the drill itself.
    """

    scenario: Mapping[str, Any]
    about: Mapping[str, Any]
    goals: Mapping[str, float]
    started_at_ms: int
    finished_at_ms: int
    phases: tuple[tuple[str, int, int], ...]
    bands: tuple[Band, ...] = ()
    events: tuple[Event, ...] = ()
    moments: Moments = field(default_factory=Moments)
    sent: tuple[Sent, ...]
    ledgers: Mapping[str, tuple[Row, ...]]
    executions: Mapping[str, int] | None = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


def save_history(history: History, path: Path) -> None:
    text = json.dumps({"version": VERSION, **asdict(history)}, ensure_ascii=False, default=str)
    path.write_text(text + "\n", encoding="utf-8")


def load_history(path: Path) -> History:
    """Read a saved history.

    Raises:
        ValueError: It is of another version.
    """
    given = json.loads(path.read_text(encoding="utf-8"))
    if given.pop("version", None) != VERSION:
        raise ValueError(f"{path} is no history of version {VERSION}")
    sent = tuple(
        Sent(**{**each, "attempts": tuple(Attempt(**attempt) for attempt in each["attempts"])})
        for each in given.pop("sent")
    )
    return History(
        **{
            **given,
            "phases": tuple((name, from_ms, to_ms) for name, from_ms, to_ms in given["phases"]),
            "bands": tuple(Band(**each) for each in given["bands"]),
            "events": tuple(Event(**each) for each in given["events"]),
            "moments": Moments(**given["moments"]),
            "ledgers": {cloud: tuple(rows) for cloud, rows in given["ledgers"].items()},
            "troubles": tuple(given["troubles"]),
            "sent": sent,
        }
    )
