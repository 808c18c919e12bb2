"""Runs one scenario on local clouds, from their start to a history that can be judged.

start ── warm up ── before ── faults, actions ── healed, back at the preferred cloud ── after ── quiet ── history
                      └───────────────── load by all roads ─────────────────────────────┘
"""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from drills.failover.agreement import open_count, read_ledgers
from drills.failover.bucket_clients import put_into
from drills.failover.clients import BucketRoad, ListRoad, NameRoad, PresignedRoad
from drills.failover.control_rows import row_reader
from drills.failover.execution_logs import count_executions
from drills.failover.history import Event, History, Moments, Sent
from drills.failover.load import LoadGenerator
from drills.failover.moments import drain_began_at_ms, moments_of_route
from drills.failover.observing import Observer
from drills.failover.scenario import Load, Road, Scenario
from drills.failover.sending import Client, File, Patience, send
from drills.failover.surroundings import FAIL_COUNT, Surroundings, started
from drills.failover.timeline import Timeline
from drills.waiting import wait_until
from drills.what_is_real import WHAT_IS_REAL

_SETTLED_S = 60.0
_WARM_COUNT = 3
_LOOK_EVERY_S = 0.5

Say = Callable[[Event], None]


def run_drill(scenario: Scenario, folder: Path, *, say: Say, on_sent: Callable[[Sent], None]) -> History:
    """Run it.

    Args:
        folder: Of the clouds' data and logs, new or empty.
        say: Told of everything that happens, from several threads.
        on_sent: Told of every file when it is acknowledged or given up, from several threads.

    Raises:
        CloudsDidNotStartError, StartError, TimeoutError: The drill could not begin.
    """
    started_at_ms = _now_ms()
    say(Event(at_ms=started_at_ms, kind="note", cloud="", text=f"{', '.join(scenario.clouds)} start"))
    with started(scenario, folder) as around:
        readers = {cloud: row_reader(running.local) for cloud, running in around.together.clouds.items()}
        observer = Observer(readers, fail_count=FAIL_COUNT, dns_admin_port=around.dns_admin_port, say=say)
        with observer:
            drill = _Drill(scenario, around, observer, on_sent=on_sent)
            drill.warm_up()
            return drill.run(folder, started_at_ms=started_at_ms)


class _Drill:
    def __init__(
        self, scenario: Scenario, around: Surroundings, observer: Observer, *, on_sent: Callable[[Sent], None]
    ) -> None:
        self._scenario, self._around, self._observer = scenario, around, observer
        self._on_sent = on_sent
        self._clients, self._patience = _make_clients(scenario, around)
        self._warm: list[Sent] = []
        self._troubles: list[str] = []

    def warm_up(self) -> None:
        """Start every function once, so that the phase before is no phase of cold starts; wait for a settled route."""
        together = self._around.together
        clouds = self._scenario.clouds
        patience = Patience(copies=len(clouds), try_timeout_s=20, give_up_s=30, headers=self._patience.headers)
        for cloud in clouds:
            others = [each for each in clouds if each != cloud]
            urls = {each: together.urls[each] for each in (cloud, *others)}
            puts = {cloud: put_into(together, cloud, timeout_s=20)}
            for number in range(_WARM_COUNT):
                for road, client in ((Road.API, ListRoad(urls, patience)), (Road.BUCKET, BucketRoad(puts))):
                    file = File(name=f"warm-up-{cloud}-{road}-{number}.bin", content=f"{cloud} {number}".encode())
                    self._warm.append(send(road, client, file, patience))
        preferred = clouds[0]
        wait_until(lambda: self._open_count(self._warm) == 0, timeout_s=_SETTLED_S, what="warm-up uploads recorded")
        wait_until(
            lambda: self._observer.is_settled(preferred), timeout_s=_SETTLED_S, what=f"all well, {preferred} active"
        )
        self._observer.note("note", "", "all functions are warm, all clouds agree")

    def run(self, folder: Path, *, started_at_ms: int) -> History:
        scenario, observer = self._scenario, self._observer
        load = LoadGenerator(self._clients, scenario.load, self._patience, seed=scenario.seed, on_sent=self._on_sent)
        timeline = Timeline(scenario, self._around.together, note=observer.note)
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
            about=_about(scenario),
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
                drain_at_ms=drain_began_at_ms([each.log_path for each in self._around.drains.values()]),
                healed_agreed_at_ms=healed_agreed_at_ms,
                load_ended_at_ms=ended_at_ms,
                agreed_at_ms=agreed_at_ms,
            ),
            sent=tuple(sent),
            ledgers=_without(self._warm, read_ledgers(self._around.together)),
            executions=count_executions({cloud: folder / cloud for cloud in scenario.clouds}),
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
            time.sleep(_LOOK_EVERY_S)
        return agreed_at_ms

    def _await_agreement(self, sent: Sequence[Sent]) -> int:
        """When all ledgers agreed on all of it; 0 if they did not in the time allowed."""
        quiet_s = self._scenario.durations.quiet_s
        try:
            wait_until(
                lambda: self._open_count(sent) == 0, timeout_s=quiet_s, what="agreement", interval_s=_LOOK_EVERY_S
            )
        except TimeoutError:
            self._observer.note("note", "", f"the ledgers do not agree after {quiet_s:g} s")
            return 0
        self._observer.note("note", "", "all ledgers agree on everything")
        return _now_ms()

    def _open_count(self, sent: Sequence[Sent]) -> int:
        return open_count(sent, read_ledgers(self._around.together))


def _make_clients(scenario: Scenario, around: Surroundings) -> tuple[dict[Road, Client], Patience]:
    together = around.together
    patience = Patience(
        copies=scenario.copies,
        try_timeout_s=scenario.try_timeout_s,
        give_up_s=scenario.give_up_s,
        headers={"Authorization": f"Bearer {together.settings.api_key}"},
    )
    first = (scenario.bucket, *(cloud for cloud in scenario.clouds if cloud != scenario.bucket))
    puts = {cloud: put_into(together, cloud, timeout_s=scenario.try_timeout_s) for cloud in first}
    clients: dict[Road, Client] = {
        Road.DNS: NameRoad(around.name, around.clouds_of, port=around.port, patience=patience),
        Road.API: ListRoad(together.urls, patience),
        Road.PRESIGNED: PresignedRoad(together.urls, patience),
        Road.BUCKET: BucketRoad(puts),
    }
    return clients, patience


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


def _about(scenario: Scenario) -> dict[str, object]:
    """What the report says of the drill's make."""
    loads: Mapping[Road, Load] = scenario.load
    return {
        "machine": {
            "cpu_count": os.cpu_count() or 1,
            "python": platform.python_version(),
            "platform": platform.platform(),
        },
        "target": "local",
        "copies": scenario.copies,
        "clouds": list(scenario.clouds),
        "roads": [road.value for road in Road if road in loads],
        "load_per_s": {road.value: loads[road].per_s for road in Road if road in loads},
        "what_is_real": {cloud: WHAT_IS_REAL[cloud] for cloud in scenario.clouds},
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
