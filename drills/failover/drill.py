"""Runs one scenario, from clouds that are well to a history that can be judged.

start ── warm up ── before ── faults, actions ── healed, back at the preferred cloud ── after ── quiet ── history
                      └───────────────── load by all roads ─────────────────────────────┘
"""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from drills.failover.history import Event, History, Moments, Row, Sent
from drills.failover.load.clients import BucketRoad, ListRoad
from drills.failover.load.generator import LoadGenerator
from drills.failover.load.sending import Client, File, Patience, send
from drills.failover.moments import drain_began_at_ms, moments_of_route
from drills.failover.observing import Observer
from drills.failover.scenario import Load, Road, Scenario
from drills.failover.scene import LookFailedError, Scene
from drills.failover.surroundings import started
from drills.failover.timeline import Timeline
from drills.failover.verdict.agreement import open_count
from drills.failover.verdict.execution_logs import count_executions
from drills.waiting import wait_until

WARM_UP = "warm-up"
_SETTLED_S = 60.0
_WARM_COUNT = 3

Say = Callable[[Event], None]


def run_on_local_clouds(scenario: Scenario, folder: Path, *, say: Say, on_sent: Callable[[Sent], None]) -> History:
    """Start local clouds, and run it there.

    Args:
        folder: Of the clouds' data and logs, new or empty.
        say, on_sent: As of `run_drill`.

    Raises:
        CloudsDidNotStartError, StartError, TimeoutError: The drill could not begin.
    """
    started_at_ms = _now_ms()
    say(Event(at_ms=started_at_ms, kind="note", cloud="", text=f"{', '.join(scenario.clouds)} start"))
    with started(scenario, folder) as scene:
        return run_drill(scenario, scene, started_at_ms=started_at_ms, say=say, on_sent=on_sent)


def run_drill(
    scenario: Scenario, scene: Scene, *, started_at_ms: int, say: Say, on_sent: Callable[[Sent], None]
) -> History:
    """Run it where the clouds are up.

    Args:
        say: Told of everything that happens, from several threads.
        on_sent: Told of every file when it is acknowledged or given up, from several threads.

    Raises:
        TimeoutError: The clouds were not well, so the drill did not begin.
    """
    with Observer(scene.looks, pace=scene.pace, name_status_url=scene.name_status_url, say=say) as observer:
        drill = _Drill(scenario, scene, observer, on_sent=on_sent)
        drill.warm_up()
        return drill.run(started_at_ms=started_at_ms)


class _Drill:
    def __init__(
        self, scenario: Scenario, scene: Scene, observer: Observer, *, on_sent: Callable[[Sent], None]
    ) -> None:
        self._scenario, self._scene, self._observer = scenario, scene, observer
        self._on_sent = on_sent
        self._patience = Patience(
            copies=scenario.copies,
            try_timeout_s=scenario.try_timeout_s,
            give_up_s=scenario.give_up_s,
            headers={"Authorization": f"Bearer {scene.api_key}"},
        )
        self._clients: dict[Road, Client] = scene.make_clients(self._patience, first_bucket=scenario.bucket)
        self._load = {road: load for road, load in scenario.load.items() if road in self._clients}
        self._warm: list[Sent] = []
        self._troubles: list[str] = []

    def warm_up(self) -> None:
        """Start every function once, so that the phase before is no phase of cold starts; wait for a settled route."""
        clouds = self._scenario.clouds
        patience = Patience(copies=len(clouds), try_timeout_s=20, give_up_s=30, headers=self._patience.headers)
        for cloud in clouds:
            others = [each for each in clouds if each != cloud]
            urls = {each: self._scene.urls[each] for each in (cloud, *others)}
            roads: list[tuple[Road, Client]] = [(Road.API, ListRoad(urls, patience))]
            if cloud in self._scene.puts:
                roads.append((Road.BUCKET, BucketRoad({cloud: self._scene.puts[cloud](patience.try_timeout_s)})))
            for number in range(_WARM_COUNT):
                for road, client in roads:
                    name = f"{WARM_UP}-{self._scenario.seed}-{cloud}-{road}-{number}.bin"
                    file = File(name=name, content=f"{cloud} {number}".encode())
                    self._warm.append(send(road, client, file, patience))
        preferred = clouds[0]
        self._wait_until(lambda: self._open_count(self._warm) == 0, what="warm-up uploads recorded")
        self._wait_until(lambda: self._observer.is_settled(preferred), what=f"all well, {preferred} active")
        self._observer.note("note", "", "all functions are warm, all clouds agree")

    def _wait_until(self, predicate: Callable[[], bool], *, what: str) -> None:
        wait_until(predicate, timeout_s=_SETTLED_S, what=what, interval_s=self._scene.pace.ledgers_s)

    def run(self, *, started_at_ms: int) -> History:
        scenario, observer = self._scenario, self._observer
        load = LoadGenerator(self._clients, self._load, self._patience, seed=scenario.seed, on_sent=self._on_sent)
        timeline = Timeline(scenario, self._scene, note=observer.note)
        before_at_ms = _now_ms()
        load.start()
        try:
            time.sleep(scenario.durations.before_s)
            during_at_ms = _now_ms()
            timeline.play()
            after_at_ms = _now_ms()
            healed_agreed_at_ms = self._come_back(list(load.sent))
        finally:
            sent = load.stop()
        ended_at_ms = _now_ms()
        observer.note("note", "", "the load has ended")
        agreed_at_ms = self._await_agreement([*self._warm, *sent])
        moved_at_ms, back_at_ms, suspected_at_ms = moments_of_route(
            observer.routes, observer.suspicions, timeline.bands, scenario, during_at_ms=during_at_ms
        )
        return History(
            scenario=_about_scenario(scenario),
            about=_about(scenario, self._scene, self._load),
            goals=scenario.goals,
            started_at_ms=started_at_ms,
            finished_at_ms=_now_ms(),
            phases=(
                ("before", before_at_ms, during_at_ms),
                ("during", during_at_ms, after_at_ms),
                ("after", after_at_ms, ended_at_ms),
            ),
            bands=tuple(timeline.bands),
            events=tuple(observer.events),
            moments=Moments(
                suspected_at_ms=suspected_at_ms,
                moved_at_ms=moved_at_ms,
                back_at_ms=back_at_ms,
                drain_at_ms=drain_began_at_ms(self._scene.drain_logs),
                healed_agreed_at_ms=healed_agreed_at_ms,
                load_ended_at_ms=ended_at_ms,
                agreed_at_ms=agreed_at_ms,
            ),
            sent=tuple(sent),
            ledgers=_without(self._warm, self._read_ledgers()),
            executions=count_executions(self._scene.log_folders) if self._scene.log_folders else None,
            troubles=(*self._troubles, *timeline.troubles),
        )

    def _come_back(self, sent_before: Sequence[Sent]) -> int:
        """Wait until the preferred cloud serves again, and for the phase after.

        Returns:
            When the ledgers were first seen to agree on what had been acknowledged before the last fault's end; 0 if
            they did not in this time.
        """
        durations, preferred = self._scenario.durations, self._scenario.clouds[0]
        agreed_at_ms, back_s = 0, 0.0
        began_s = time.monotonic()
        while not back_s or time.monotonic() < back_s + durations.after_s:
            if not agreed_at_ms and self._open_count(sent_before) == 0:
                agreed_at_ms = _now_ms()
                self._observer.note("note", "", "the ledgers agree on what was sent until the faults ended")
            now_s = time.monotonic()
            if not back_s and self._observer.is_settled(preferred):
                back_s = now_s
            if not back_s and now_s - began_s > durations.fail_back_s:
                self._troubles.append(f"{preferred} was not active and well again within {durations.fail_back_s:g} s")
                break
            time.sleep(self._scene.pace.ledgers_s)
        return agreed_at_ms

    def _await_agreement(self, sent: Sequence[Sent]) -> int:
        """When all ledgers agreed on all of it; 0 if they did not in the time allowed."""
        quiet_s, every_s = self._scenario.durations.quiet_s, self._scene.pace.ledgers_s
        try:
            wait_until(lambda: self._open_count(sent) == 0, timeout_s=quiet_s, what="agreement", interval_s=every_s)
        except TimeoutError:
            self._observer.note("note", "", f"the ledgers do not agree after {quiet_s:g} s")
            return 0
        self._observer.note("note", "", "all ledgers agree on everything")
        return _now_ms()

    def _open_count(self, sent: Sequence[Sent]) -> int:
        """How many are not as they should be, or not yet; all of them while a ledger cannot be read."""
        try:
            return open_count(sent, self._scene.read_ledgers())
        except LookFailedError:
            return max(1, len(sent))

    def _read_ledgers(self) -> Mapping[str, tuple[Row, ...]]:
        """For the check. A ledger that cannot be read fails the drill, and counts as empty."""
        try:
            return self._scene.read_ledgers()
        except LookFailedError as error:
            self._troubles.append(f"the ledgers could not be read at the end: {error}")
            return dict.fromkeys(self._scenario.clouds, ())


def _without(
    warm: Sequence[Sent], ledgers: Mapping[str, Sequence[Mapping[str, object]]]
) -> dict[str, tuple[Mapping[str, object], ...]]:
    names = {each.name for each in warm}
    return {
        cloud: tuple(row for row in rows if str(row.get("key")).rpartition("/")[2] not in names)
        for cloud, rows in ledgers.items()
    }


def _about_scenario(scenario: Scenario) -> dict[str, object]:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "description": scenario.description,
        "seed": scenario.seed,
    }


def _about(scenario: Scenario, scene: Scene, loads: Mapping[Road, Load]) -> dict[str, object]:
    """What the report says of the drill's make."""
    return {
        "machine": {
            "cpu_count": os.cpu_count() or 1,
            "python": platform.python_version(),
            "platform": platform.platform(),
        },
        "target": scene.target.value,
        "copies": scenario.copies,
        "clouds": list(scenario.clouds),
        "roads": [road.value for road in Road if road in loads],
        "load_per_s": {road.value: loads[road].per_s for road in Road if road in loads},
        "what_is_real": {cloud: scene.what_is_real[cloud] for cloud in scenario.clouds},
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
