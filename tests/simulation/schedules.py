"""Which schedules there are, and a walk through all of them.

Schedules that lead to the same state of everything have the same future, so the walk goes on from each state once:
it covers every schedule of the given length and visits far fewer states.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.simulation.replay import Fault
from tests.simulation.world import Setting, Violation, World

Choice = Callable[[World], None]

STEPS: Mapping[str, Choice] = {
    "A steps": lambda world: world.step("A"),
    "B steps": lambda world: world.step("B"),
    "A crashes": lambda world: world.crash("A"),
    "B crashes": lambda world: world.crash("B"),
    "time jumps": World.jump,
    "redelivery": World.redeliver,
}
LOST_ANSWERS: Mapping[str, Choice] = {
    "A's answer is lost": lambda world: world.step("A", Fault.ANSWER_LOST),
    "B's answer is lost": lambda world: world.step("B", Fault.ANSWER_LOST),
    "A's write is lost": lambda world: world.step("A", Fault.WRITE_LOST),
}
FAILURES: Mapping[str, Choice] = {
    "A's call fails": lambda world: world.step("A", Fault.FAILS),
    "B's call fails": lambda world: world.step("B", Fault.FAILS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What a walk covered."""

    schedule_count: int
    state_count: int
    duration_s: float

    def __str__(self) -> str:
        rate = self.schedule_count / self.duration_s
        return (
            f"{self.schedule_count:,} schedules through {self.state_count:,} states "
            f"in {self.duration_s:.1f} s ({rate:,.0f} schedules/s)"
        )


def walk(setting: Setting, choices: Mapping[str, Choice], *, length: int) -> Coverage:
    """Go through every schedule of `length` steps, finish each fairly, and check all the way.

    Raises:
        Violation: With the shortest schedule that leads to it.
    """
    started_s = time.perf_counter()
    start = World(setting)
    seen, known = {start.key()}, set[object]()
    frontier: list[tuple[World, tuple[str, ...]]] = [(start, ())]
    _check("no step", lambda: start.fork().finish(known))
    for _ in range(length):
        reached = []
        for world, path in frontier:
            for name, choose in choices.items():
                twin = world.fork()
                _check(" > ".join((*path, name)), lambda choose=choose, twin=twin: choose(twin))
                key = twin.key()
                if key not in seen:
                    seen.add(key)
                    reached.append((twin, (*path, name)))
                    _check(" > ".join((*path, name, "the end")), lambda twin=twin: twin.fork().finish(known))
        frontier = reached
    return Coverage(
        schedule_count=len(choices) ** length,
        state_count=len(seen),
        duration_s=time.perf_counter() - started_s,
    )


def run_random(setting: Setting, choices: Mapping[str, Choice], *, seed: int, length: int) -> World:
    """One long schedule, the same for the same seed, finished fairly."""
    names = random.Random(seed).choices(list(choices), k=length)
    world = World(setting)

    def run() -> None:
        for name in names:
            choices[name](world)
        world.finish()

    _check(f"SEED={seed}: {' > '.join(names)}", run)
    return world


def _check(schedule: str, act: Callable[[], None]) -> None:
    try:
        act()
    except Violation as violation:
        raise Violation(f"{violation}\nafter: {schedule}") from None
