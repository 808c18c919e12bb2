"""Each safety rule between clouds is taken away once: then a schedule shows the harm. So the simulation can fail."""

import logging
from collections.abc import Callable

import pytest

from tests.simulation.clouds.broken import BROKEN
from tests.simulation.clouds.chance import Chaos
from tests.simulation.clouds.checks import Violation
from tests.simulation.clouds.scripts import SCRIPTS, pin_between_look_and_offer
from tests.simulation.clouds.setting import Setting
from tests.simulation.clouds.world import World

SEED_COUNT = 400
FOUND_BY_CHANCE = [rule for rule in BROKEN if rule not in SCRIPTS]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The core tells of every failure; here there are thousands."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


def run_seeds(setting: Setting) -> None:
    for seed in range(SEED_COUNT):
        Chaos(seed, setting).run()


@pytest.mark.parametrize("rule", FOUND_BY_CHANCE)
def test_without_the_rule_some_seed_breaks(rule: str) -> None:
    """One of the seeds that do well with the whole core (test_three_clouds.py) finds the harm."""
    with pytest.raises(Violation):
        run_seeds(BROKEN[rule])


@pytest.mark.parametrize("rule", SCRIPTS)
def test_without_the_rule_its_schedule_breaks(rule: str) -> None:
    """The harm needs several rare things at once, so a schedule of its own brings them together."""
    with pytest.raises(Violation):
        SCRIPTS[rule](World(setting=BROKEN[rule]))


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_with_all_rules_these_schedules_do_well(script: Callable[[World], None]) -> None:
    """The control: the harm comes from the missing rule alone."""
    world = World(setting=Setting())

    script(world)

    assert world.checks.problem() == ""


def test_known_limit_of_a_pin_between_look_and_offer() -> None:
    """What docs/failure-modes.md says of it is still so: when this fails, strike it there."""
    with pytest.raises(Violation, match="was pinned"):
        pin_between_look_and_offer(World(setting=Setting()))
