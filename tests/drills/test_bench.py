"""The benchmark compares like with like: handlers in turns, real runtimes, and no time for work that was not done."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from drills.bench.aws import open_aws
from drills.bench.azure import open_azure
from drills.bench.cpu_time import group_cpu_s
from drills.bench.gcp import open_gcp
from drills.bench.report import Goal, format_figures, format_goals
from drills.bench.sampling import Bench, Medians, measure

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
MEDIANS = {
    "naive": Medians(cold_ms=400, cold_cpu_ms=None, warm_ms=10),
    "other": Medians(cold_ms=100, cold_cpu_ms=None, warm_ms=40),
    "sluice": Medians(cold_ms=200, cold_cpu_ms=None, warm_ms=20),
}


class FakeInstance:
    """Notes when it is called."""

    pid = 0

    def __init__(self, handler: str, calls: list[str]) -> None:
        self._handler, self._calls = handler, calls

    def handle(self, event: str) -> None:
        self._calls.append(self._handler)

    def close(self) -> None:
        self._calls.append("")


class FakeBench:
    """Servers whose ledger says that `recorded_count` uploads were recorded."""

    handlers = ("naive", "sluice")

    def __init__(self, *, recorded_count: int) -> None:
        self.calls: list[str] = []
        self._recorded_count = recorded_count

    def start(self, handler: str, *, label: str) -> FakeInstance:
        return FakeInstance(handler, self.calls)

    def put(self, key: str, content: bytes) -> str:
        return key

    def scan(self) -> list[Mapping[str, Any]]:
        return [{"state": "recorded"}] * self._recorded_count


def test_handlers_take_turns_call_by_call() -> None:
    """A slow minute hits all handlers, and none of them always comes first."""
    bench = FakeBench(recorded_count=6)

    measure(bench, round_count=1, warm_count=2)

    first_round, second_round = ["naive", "sluice"] * 3, ["sluice", "naive"] * 3
    assert bench.calls == [*first_round, "", "", *second_round, "", ""]


def test_no_time_counts_for_what_was_not_recorded() -> None:
    """When the ledger lacks an upload, there are no figures but an error."""
    bench = FakeBench(recorded_count=5)

    with pytest.raises(RuntimeError, match="5 of 6 uploads"):
        measure(bench, round_count=1, warm_count=2)


def test_each_goal_is_judged_by_its_own_ratio() -> None:
    """A goal compares one column with the handler that it names."""
    goals = (
        Goal(what="cold", max_ratio=0.6),
        Goal(what="warm", max_ratio=1.0),
        Goal(what="warm", max_ratio=0.5, against="other"),
        Goal(what="cold CPU", max_ratio=1.0),
    )

    line = format_goals(MEDIANS, goals)

    assert line == (
        "Goals for sluice: cold ≤ 0.60 × naive: 0.50 reached; warm ≤ 1.00 × naive: 2.00 missed;"
        " warm ≤ 0.50 × other: 0.50 reached; cold CPU ≤ 1.00 × naive: not measured"
    )


def test_ratios_are_to_the_naive_handler() -> None:
    """Each row shows a handler's medians, each with its ratio to those of the naive one."""
    lines = format_figures(MEDIANS).splitlines()

    assert lines[3].split() == ["sluice", "200.0", "0.50", "–", "–", "20.0", "2.00"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="CPU time is read from /proc, which this system lacks")
def test_cpu_time_includes_children() -> None:
    """What a forked worker spends counts, because the functions framework serves in one."""
    script = """if True:
        import os, signal, time
        if not os.fork():
            while time.process_time() < 0.3:
                pass
            print("spent", flush=True)
            signal.pause()
        signal.pause()
    """
    command = [sys.executable, "-I", "-S", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        try:
            assert parent.stdout is not None
            parent.stdout.readline()

            spent_s = group_cpu_s(parent.pid)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)

    assert spent_s is not None
    assert spent_s >= 0.25


@pytest.mark.parametrize("open_bench", [open_aws, open_azure, open_gcp])
def test_every_handler_does_its_work(open_bench: Any, tmp_path: Path) -> None:
    """On each cloud all handlers run in that cloud's own runtime and answer with success, cold and warm."""
    opened: AbstractContextManager[Bench] = open_bench(tmp_path / "cloud", task_root=PROJECT_FOLDER)
    with opened as bench:
        medians = measure(bench, round_count=1, warm_count=1)

    assert {"naive", "sluice"} <= medians.keys()
    assert all(found.cold_ms > found.warm_ms > 0 for found in medians.values())
