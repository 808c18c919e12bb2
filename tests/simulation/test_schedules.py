"""The real pipeline, worker and parking under every short schedule of crash, overlap, delay and redelivery."""

import logging
import os
from itertools import product

import pytest

from tests.simulation.schedules import FAILURES, LOST_ANSWERS, STEPS, Choice, run_random, walk
from tests.simulation.world import Setting, World

SEED_COUNT = 2_000
LONG = 40

SETTINGS = {
    "one upload, delivered twice": Setting(),
    "the user's function raises twice": Setting(raises={"x": 2}, attempt_count=3),
    "the user's function always raises": Setting(raises={"x": 99}, attempt_count=2),
    "the upload is rejected": Setting(raises={"x": -1}),
    "the object is missing": Setting(missing=frozenset("x"), attempt_count=2),
    "a message of two uploads": Setting(messages=("x y", "x")),
    "two uploads that fail in turns": Setting(messages=("x y", "x"), raises={"x": 99, "y": 99}, attempt_count=2),
}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The worker tells of every try; here there are millions."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


def test_every_schedule_of_eight_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """Two workers and one upload: whatever crashes, overlaps or comes again, nothing is lost and one record stands."""
    coverage = walk(SETTINGS["one upload, delivered twice"], STEPS, length=8)

    with capsys.disabled():
        print(f"\n{coverage}")
    assert coverage.schedule_count == len(STEPS) ** 8


def test_no_schedule_is_left_out() -> None:
    """Going on from each state once reaches just what running all 6,561 schedules of eight steps, one by one, does."""
    choices = {name: STEPS[name] for name in ("A steps", "B steps", "time jumps")}
    start = World(Setting())
    worlds = {(): start}
    for length in range(1, 9):
        for path in product(choices, repeat=length):
            worlds[path] = worlds[path[:-1]].fork()
            choices[path[-1]](worlds[path])

    coverage = walk(Setting(), choices, length=8)

    assert len({world.key() for world in worlds.values()}) == coverage.state_count


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "one upload, delivered twice"])
def test_every_schedule_of_six_steps(name: str) -> None:
    """The same holds for uploads that fail, are rejected, are missing, or come two in a message."""
    walk(SETTINGS[name], STEPS, length=6)


@pytest.mark.parametrize("faults", [LOST_ANSWERS, FAILURES], ids=["lost answers", "failing calls"])
def test_every_schedule_with_faults(faults: dict[str, Choice]) -> None:
    """The same holds when calls fail, when answers are lost after the write, and when writes are lost before it."""
    walk(Setting(), {**STEPS, **faults}, length=6)


def test_long_random_schedules() -> None:
    """The same holds for long schedules of everything at once. SEED=n runs one of them again."""
    seeds = [int(os.environ["SEED"])] if "SEED" in os.environ else range(SEED_COUNT)
    settings = list(SETTINGS.values())
    handled_count = 0

    for seed in seeds:
        choices = {**STEPS, **LOST_ANSWERS, **FAILURES}
        world: World = run_random(settings[seed % len(settings)], choices, seed=seed, length=LONG)
        handled_count += world.calls.total()

    assert handled_count > len(seeds), "the schedules hardly did anything"
