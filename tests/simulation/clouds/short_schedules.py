"""Every short schedule of a small alphabet. Those that lead to the same state of everything go on from it once."""

import time
from collections.abc import Callable, Mapping

from tests.simulation.clouds import snapshot
from tests.simulation.clouds.checks import Violation
from tests.simulation.clouds.faults import Condition, Fuse, crash
from tests.simulation.clouds.setting import Setting
from tests.simulation.clouds.uploads import api_upload
from tests.simulation.clouds.world import World
from tests.simulation.schedules import Coverage

Step = Callable[[World], None]

JUMP_S = 70  # longer than any lease, visibility timeout and takeover
TWO_COPIES, ONE_COPY = api_upload("two.dat", copies=2), api_upload("one.dat", copies=1)
_CALLS_TO_CONFIRM = 5  # of a worker with one message: receive, claim (lost to the pending row), read it, claim, open


def _cut(world: World) -> None:
    for ends in (("aws", "gcp"), ("gcp", "aws")):
        world.set_link(*ends, Condition.UNUSABLE)


def _kill(world: World) -> None:
    world.clouds["aws"].are_functions_dead = True


def _lose(world: World) -> None:
    if not any(cloud.is_gone for cloud in world.clouds.values()):
        world.lose("aws")


STEPS: Mapping[str, Step] = {
    "upload of two copies at aws": lambda world: world.upload(TWO_COPIES, at="aws"),
    "upload of one copy at gcp": lambda world: world.upload(ONE_COPY, at="gcp"),
    "aws works": lambda world: world.work("aws", limit=1),
    "aws crashes before it confirms": lambda world: world.under(
        Fuse(_CALLS_TO_CONFIRM + 1, crash), lambda: world.work("aws", limit=1)
    ),
    "gcp works": lambda world: world.work("gcp", limit=1),
    "aws's functions die": _kill,
    "aws is gone for good": _lose,
    "aws and gcp are cut": _cut,
    "all heals": World.heal,
    "time passes": lambda world: world.pass_time(JUMP_S),
    "aws watches": lambda world: world.watch("aws"),
    "gcp watches": lambda world: world.watch("gcp"),
    "gcp reconciles": lambda world: world.reconcile("gcp"),
}


def walk(setting: Setting, steps: Mapping[str, Step], *, length: int) -> Coverage:
    """Go through every schedule of `length` steps, finish each fairly, and check all the way.

    Raises:
        Violation: With the shortest schedule that leads to it.
    """
    started_s = time.perf_counter()
    world = World(setting=setting)
    seen = {snapshot.key(world)}
    frontier = [(snapshot.take(world), ())]
    for _ in range(length):
        reached = []
        for state, path in frontier:
            for name, step in steps.items():
                snapshot.put_back(world, state)
                _check((*path, name), world, step)
                key = snapshot.key(world)
                if key not in seen:
                    seen.add(key)
                    reached.append((snapshot.take(world), (*path, name)))
                    _check((*path, name, "the end"), world, World.finish)
        frontier = reached
    return Coverage(
        schedule_count=len(steps) ** length, state_count=len(seen), duration_s=time.perf_counter() - started_s
    )


def _check(path: tuple[str, ...], world: World, step: Step) -> None:
    try:
        step(world)
    except Violation as violation:
        raise Violation(f"{violation}\nafter: {' > '.join(path)}") from None
