"""What ends a drill early also ends its faults, and takes back what its operator has pinned."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drills.failover.scenario import (
    ActionName,
    FaultName,
    Load,
    Road,
    Scenario,
    Target,
    TimedAction,
    TimedFault,
)
from drills.failover.scene import Pace, Scene
from drills.failover.timeline import Timeline
from tests.e2e.three_apis import API_KEY, three_apis
from tests.unit.api_in_memory import KEYS

LONG = TimedFault(at_s=0, fault=FaultName.OUTAGE, cloud="aws", for_s=600)
BROKEN = TimedFault(at_s=1.5, fault=FaultName.SLOW, cloud="gcp", for_s=1)
LATE = TimedFault(at_s=300, fault=FaultName.HANG, cloud="azure", for_s=1)


class CannotBeMadeError(Exception):
    """Of the second fault; Ctrl-C takes the same way."""


def scenario(*faults: TimedFault, actions: tuple[TimedAction, ...] = ()) -> Scenario:
    load = {Road.API: Load(per_s=1, least_bytes=1, most_bytes=1)}
    return Scenario(name="mine", title="Mine", description="Mine.", load=load, faults=faults, actions=actions)


class Faults:
    """Makes faults that do nothing, and keeps what was made and ended."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.ended: list[str] = []

    @contextmanager
    def make(self, fault: TimedFault) -> Iterator[None]:
        if fault is BROKEN:
            raise CannotBeMadeError
        self.made.append(fault.fault)
        try:
            yield
        finally:
            self.ended.append(fault.fault)


def scene(faults: Faults, peers_file: Path) -> Scene:
    return Scene(
        target=Target.LOCAL,
        urls={},
        api_key="",
        peers_file=peers_file,
        make_name_road=None,
        puts={},
        looks={},
        read_ledgers=dict,
        make_fault=faults.make,
        pace=Pace(control_s=1, ledgers_s=1, fail_count=1),
        what_is_real={},
    )


def test_end_of_one_is_the_end_of_all(tmp_path: Path) -> None:
    """A fault that was to last ten minutes is ended at once, and one that was to come does not come."""
    faults, began_s = Faults(), time.monotonic()
    timeline = Timeline(scenario(LONG, BROKEN, LATE), scene(faults, tmp_path), note=lambda *_: None)

    with pytest.raises(CannotBeMadeError):
        timeline.play()

    assert (faults.made, faults.ended) == (["outage"], ["outage"])
    assert time.monotonic() - began_s < 60


def test_what_was_pinned_is_unpinned(tmp_path: Path) -> None:
    """Also if the drill does not come to the unpinning of its own time line."""
    actions = (TimedAction(at_s=0, action=ActionName.PIN), TimedAction(at_s=300, action=ActionName.UNPIN))
    keys = {"current": KEYS.current, "keys": {name: secret.hex() for name, secret in KEYS.secrets.items()}}
    with three_apis() as apis:
        apis.clouds.now_ms = time.time_ns() // 1_000_000
        peers = {cloud: {"url": url} for cloud, url in apis.urls.items()}
        path = tmp_path / "peers.json"
        path.write_text(json.dumps({"peers": peers, "keys": keys, "api_key": API_KEY}))
        timeline = Timeline(scenario(BROKEN, actions=actions), scene(Faults(), path), note=lambda *_: None)

        with pytest.raises(CannotBeMadeError):
            timeline.play()

        routes = [apis.clouds.route(cloud) for cloud in ("aws", "gcp", "azure")]
    assert {(route.epoch, route.pinned) for route in routes} == {(2, False)}
