"""Takes the time of one upload with several handlers on one cloud's local servers, in the same minutes.

Machines are noisy, so the handlers take turns: in each round every handler is started once, and then each is called
once, again and again. Who comes first changes with the round.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from drills.bench.cpu_time import group_cpu_s

CONTENT = b"%PDF-1.7\n" + b"x" * 4096


class Instance(Protocol):
    """One process with a handler in that cloud's own Python runtime; `pid` is also its process group's id."""

    @property
    def pid(self) -> int: ...

    def handle(self, event: str) -> None:
        """Let it work an event off, and wait for its answer.

        Raises:
            RuntimeError: It failed, so that its time would mean nothing.
        """

    def close(self) -> None: ...


class Bench(Protocol):
    """One cloud's local servers, and the handlers that are compared on them. "naive" and "sluice" are always there."""

    @property
    def handlers(self) -> Sequence[str]: ...

    def start(self, handler: str, *, label: str) -> Instance:
        """Start a fresh process; it may still be starting when this returns. `label` names its log."""

    def put(self, key: str, content: bytes) -> str:
        """Put an object; returns the event with which this cloud calls a function."""

    def scan(self) -> list[Mapping[str, Any]]:
        """Read Sluice's ledger, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Medians:
    """What one upload costs. `cold_cpu_ms` is None where CPU time cannot be read (macOS)."""

    cold_ms: float
    cold_cpu_ms: float | None
    warm_ms: float


@dataclass(slots=True)
class Samples:
    """What was measured of one handler: from its process's start to its first answer, and each later call."""

    cold_ms: list[float] = field(default_factory=list)
    cold_cpu_ms: list[float] = field(default_factory=list)
    warm_ms: list[float] = field(default_factory=list)

    def medians(self) -> Medians:
        return Medians(
            cold_ms=statistics.median(self.cold_ms),
            cold_cpu_ms=statistics.median(self.cold_cpu_ms) if self.cold_cpu_ms else None,
            warm_ms=statistics.median(self.warm_ms),
        )


def measure(bench: Bench, *, round_count: int, warm_count: int) -> dict[str, Medians]:
    """Medians of each handler, over `round_count` cold starts with `warm_count` more calls each.

    One round more is run before, for nothing but to warm the machine's disk cache and the servers.

    Raises:
        RuntimeError: A call failed, or Sluice's ledger does not hold all that it was called with.
    """
    samples = {handler: Samples() for handler in bench.handlers}
    for round_number in range(round_count + 1):
        into = samples if round_number else {handler: Samples() for handler in bench.handlers}
        _run_round(bench, round_number, warm_count=warm_count, into=into)
    recorded_count = sum(row.get("state") == "recorded" for row in bench.scan())
    called_count = (round_count + 1) * (warm_count + 1)
    if recorded_count != called_count:
        raise RuntimeError(f"{recorded_count} of {called_count} uploads were recorded: the times mean nothing")
    return {handler: found.medians() for handler, found in samples.items()}


def _run_round(bench: Bench, round_number: int, *, warm_count: int, into: Mapping[str, Samples]) -> None:
    first = round_number % len(bench.handlers)
    turns = [*bench.handlers[first:], *bench.handlers[:first]]
    with ExitStack() as running:
        instances: dict[str, Instance] = {}
        for handler in turns:
            label = f"{handler}-{round_number}"
            event = bench.put(f"{label}/cold", CONTENT)
            started_s = time.perf_counter()
            instance = running.enter_context(closing(bench.start(handler, label=label)))
            instance.handle(event)
            into[handler].cold_ms.append((time.perf_counter() - started_s) * 1000)
            cpu_s = group_cpu_s(instance.pid)
            into[handler].cold_cpu_ms += [] if cpu_s is None else [cpu_s * 1000]
            instances[handler] = instance
        for number in range(warm_count):
            for handler in turns:
                event = bench.put(f"{handler}-{round_number}/{number}", CONTENT)
                into[handler].warm_ms.append(time_call_ms(instances[handler], event))


def time_call_ms(instance: Instance, event: str) -> float:
    """How long it takes until the event is answered."""
    started_s = time.perf_counter()
    instance.handle(event)
    return (time.perf_counter() - started_s) * 1000
