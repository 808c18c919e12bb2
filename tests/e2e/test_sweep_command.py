"""The sweep command on the embedded store, where the operator delivers what it sent to work."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from handlers.wiring import CLOUDS
from tests.e2e.bucket import ROOT

Run = Callable[..., "subprocess.CompletedProcess[str]"]

# As each cloud would call the function with the event of standard input.
DELIVER = """
import importlib, json, sys, types
process = importlib.import_module(f"handlers.{sys.argv[1]}").process
context = [types.SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)]
process(json.load(sys.stdin), *context[: process.__code__.co_argcount - 1])
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python with an embedded store of this test's own."""
    environment = {"PATH": os.defpath, "SLUICE_LOCAL_DIR": str(tmp_path / "store")}

    def run(cloud: str, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment | {"SLUICE_CLOUD": cloud},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def sls(run: Run, cloud: str, command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run an operator's command."""
    return run(cloud, "-m", "handlers.cli", command, f"--cloud={cloud}", *arguments)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_sweep_prints_the_event_that_records_what_was_missed(run: Run, cloud: str) -> None:
    """A file whose event nobody delivered is found, its new event is printed, and delivering that records it."""
    sls(run, cloud, "put", __file__, "--key=lost")

    swept = sls(run, cloud, "sweep", "--min-age-s=0")
    delivered = run(cloud, "-c", DELIVER, cloud, stdin=swept.stdout)

    assert "1 listed: 0 known, 0 too young to be missed, 1 sent to the work queue" in swept.stderr
    assert re.search(r"the oldest of these has waited \d+ s", swept.stderr)
    assert delivered.returncode == 0, delivered.stderr
    [record] = json.loads(sls(run, cloud, "ledger", "--json").stdout)["records"]
    assert (record["key"], record["state"]) == ("lost", "recorded")
    again = sls(run, cloud, "sweep", "--min-age-s=0")
    assert (again.stdout, "1 known" in again.stderr) == ("", True)


def test_sweep_reports_as_json(run: Run) -> None:
    """--json gives the counts, and a young upload is left to its event."""
    sls(run, "aws", "put", __file__, "--key=young")

    swept = sls(run, "aws", "sweep", "--json")

    counts = {"listed_count": 1, "young_count": 1, "known_count": 0, "sent_count": 0, "oldest_delay_s": 0}
    assert json.loads(swept.stdout) == counts


def test_negative_age_is_refused(run: Run) -> None:
    """A mistake gives one line that names what is wrong, and a status that is not 0."""
    swept = sls(run, "aws", "sweep", "--min-age-s=-1")

    assert (swept.returncode, swept.stdout) == (1, "")
    assert swept.stderr == "Error: --min-age-s must be 0 or more seconds; this is -1\n"
