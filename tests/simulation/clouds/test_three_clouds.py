"""The core's own code of three clouds under every short schedule of a small alphabet, and under long ones by chance."""

import logging
import os
from itertools import product

import pytest

from tests.simulation.clouds import snapshot
from tests.simulation.clouds.chance import Chaos
from tests.simulation.clouds.setting import Setting
from tests.simulation.clouds.short_schedules import STEPS, walk
from tests.simulation.clouds.simulate import run_many
from tests.simulation.clouds.world import World

TIME_S = 25  # for seeded schedules; `make simulate` runs as many as it is told
SEED_COUNT = 100_000


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The core tells of every failure; here there are thousands."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


def test_every_schedule_of_five_steps_of_clouds(capsys: pytest.CaptureFixture[str]) -> None:
    """Two uploads and three clouds: whichever dies, is lost, is cut off or crashes, nothing acknowledged is lost."""
    coverage = walk(Setting(), STEPS, length=5)

    with capsys.disabled():
        print(f"\n{coverage}")
    assert coverage.schedule_count == len(STEPS) ** 5


def test_no_schedule_of_clouds_is_left_out() -> None:
    """Going on from each state once reaches just what running all 2,197 schedules of three steps, one by one, does."""
    keys = set()
    for length in range(4):
        for path in product(STEPS.values(), repeat=length):
            world = World()
            for step in path:
                step(world)
            keys.add(snapshot.key(world))

    assert walk(Setting(), STEPS, length=3).state_count == len(keys)


def test_long_random_schedules_of_clouds(capsys: pytest.CaptureFixture[str]) -> None:
    """The same holds for long schedules of everything at once. SEED=n runs one of them again."""
    seeds = [int(os.environ["SEED"])] if "SEED" in os.environ else range(SEED_COUNT)

    summary = run_many(seeds, stop_after_s=TIME_S)

    with capsys.disabled():
        print(f"\n{summary}")
    assert summary.call_count > summary.schedule_count, "the schedules hardly did anything"


def test_a_seed_gives_the_same_schedule_again() -> None:
    """So that a failure can be looked at."""
    first, second = Chaos(7).run(), Chaos(7).run()

    assert first.trace == second.trace
    assert len(first.trace) > 20
