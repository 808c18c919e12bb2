"""Outages of one cloud among others, or between two, made at their doors and by signals, and their end.

The local servers themselves stay up: killed, they would lose what they acknowledged, which the real services do not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from drills.fault_proxy import Fault, FaultKind
from drills.together import Together


class Outage(StrEnum):
    """What of a cloud does not work."""

    FUNCTIONS = "functions dead"  # neither `process` nor the API nor the watch runs
    STORAGE = "storage dead"
    QUEUE = "queue dead"
    LEDGER = "ledger dead"  # with the control table, which is beside it
    EVERYTHING = "everything dead"
    HUNG = "everything hung"  # connections are accepted, and nothing answers
    ANSWERS = "answers lost"  # everything is done, and of a third nobody hears


_REFUSED = Fault(kind=FaultKind.REFUSE)
_HUNG = Fault(kind=FaultKind.HANG)
_THIRD_LOST = Fault(kind=FaultKind.DROP_ANSWER, share=1 / 3)


@contextmanager
def outage(together: Together, cloud: str, kind: Outage) -> Iterator[None]:
    """Make it, and end it. What hangs is served at the end, as by processes that were frozen."""
    doors, local, watch = together.doors[cloud], together.clouds[cloud].local, together.watches[cloud]
    try:
        match kind:
            case Outage.FUNCTIONS:
                doors.fail(_REFUSED, doors.api, doors.push)
                watch.kill()
                local.stop_compute()
            case Outage.STORAGE:
                doors.fail(_REFUSED, doors.store)
            case Outage.QUEUE:
                doors.fail(_REFUSED, doors.queue, doors.push)
            case Outage.LEDGER:
                doors.fail(_REFUSED, doors.ledger)
            case Outage.EVERYTHING:
                doors.fail(_REFUSED, *doors.own)
                watch.kill()
            case Outage.HUNG:
                doors.fail(_HUNG, *doors.own)
                watch.pause()
            case Outage.ANSWERS:
                doors.fail(_THIRD_LOST, *doors.own)
        yield
    finally:
        if kind is Outage.FUNCTIONS:
            local.start_compute()
        doors.heal()
        if kind is Outage.HUNG:
            watch.resume()
        elif not watch.is_running:
            watch.start()


@contextmanager
def cut(together: Together, one: str, other: str) -> Iterator[None]:
    """Let two clouds no longer reach each other's API; everybody else reaches both."""
    lines = (together.doors[one].peers[other], together.doors[other].peers[one])
    try:
        for line in lines:
            line.fault = _REFUSED
        yield
    finally:
        for line in lines:
            line.heal()
