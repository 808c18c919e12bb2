"""`python -m drills.local_clouds up` says where everything is, keeps strangers out, and leaves nothing behind."""

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.local_clouds import FolderInUseError, main, running
from drills.waiting import wait_until

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
WAIT_S = 60

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give `start("--cloud", "gcp", …)`: the command, running in a folder of this test."""
    processes = []

    def start_command(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "drills.local_clouds", "up", "--folder", str(tmp_path), *arguments]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, cwd=PROJECT_FOLDER, stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield start_command

    for process in processes:
        process.terminate()
        process.communicate(timeout=WAIT_S)


def first_line(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=WAIT_S)[1]
    return json.loads(line)


def read_environment(path: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in path.read_text().splitlines())
    return {name: "".join(shlex.split(value)) for name, _, value in lines}


def run_cli(told: Any, *arguments: str) -> str:
    """Run the operator's command with the variables of the file, and nothing else; gives its output."""
    environment = read_environment(Path(told["environment_file"]))
    return subprocess.run(
        [sys.executable, "-m", "handlers.cli", *arguments, "--cloud", told["cloud"]],
        env={"PATH": os.defpath, "PYTHONPATH": str(PROJECT_FOLDER), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def read_ledger(told: Any) -> Any:
    return json.loads(run_cli(told, "ledger", "--json"))["records"]


def await_recorded(told: Any) -> Any:
    """The one record, once no worker is at it any more."""

    def found() -> Any:
        records = read_ledger(told)
        return records if [record["state"] for record in records] == ["recorded"] else None

    return wait_until(found, timeout_s=WAIT_S, what="the record")


def test_the_operators_command_reaches_it(start: Start, tmp_path: Path) -> None:
    """With the variables of the file, and nothing else, a file can be put; only its owner may read that file."""
    told = first_line(start("--cloud", "gcp", "--json"))
    path = tmp_path / "gcp" / "environment"
    environment = read_environment(path)
    (tmp_path / "file.txt").write_text("x")

    run_cli(told, "put", str(tmp_path / "file.txt"))
    [record] = await_recorded(told)

    assert (record["state"], record["key"]) == ("recorded", "file.txt")
    assert environment == told["environment"]
    assert told["environment_file"] == str(path)
    assert told["bucket"] == environment["SLUICE_BUCKET"]
    assert set(told["endpoints"]) >= {"Cloud Storage", "Pub/Sub, gRPC", "Firestore, JSON"}
    assert "Emulated" in told["what_is_real"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_cleanly(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """Exit status 0, no file with addresses that nobody answers any more, and the folder is free again."""
    process = start("--cloud", "gcp", "--json")
    first_line(process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=WAIT_S)

    assert process.returncode == 0, errors
    assert not (tmp_path / "gcp" / "environment").exists()
    with running(["gcp"], tmp_path) as clouds:
        assert clouds["gcp"].start_up_s > 0


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_a_kill_loses_no_record(cloud: str, start: Start, tmp_path: Path) -> None:
    """The next run waits until the killed one's servers have written their data and are gone, and then finds it."""
    killed = start("--cloud", cloud, "--json")
    told = first_line(killed)
    (tmp_path / "file.txt").write_text("x")
    run_cli(told, "put", str(tmp_path / "file.txt"))
    before = await_recorded(told)

    killed.kill()
    killed.wait()
    after = read_ledger(first_line(start("--cloud", cloud, "--json")))

    assert after == before


def test_one_folder_is_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second one is refused, says who is there, and does not disturb the first; another cloud may start beside it."""
    with running(["gcp"], tmp_path) as clouds:
        status = main(["up", "--cloud", "gcp", "--folder", str(tmp_path)])
        with pytest.raises(FolderInUseError), running(["azure", "gcp"], tmp_path):
            pass
        count = clouds["gcp"].drilled.waiting_count

    assert status == 1
    assert count == 0
    assert f"{tmp_path / 'gcp'} is in use: process {os.getpid()} runs there" in capsys.readouterr().err


def test_one_that_cannot_start_stops_the_others(start: Start, tmp_path: Path) -> None:
    """Exit status 1, which one and why, with the end of its log; what had started is stopped."""
    (tmp_path / "gcp").mkdir()
    (tmp_path / "gcp" / "firestore.sqlite").write_text("no database, but a text that is long enough to be read as one")
    process = start("--cloud", "gcp,aws", "--json")
    output, errors = process.communicate(timeout=WAIT_S)

    assert process.returncode == 1
    assert "gcp did not start: StartError: firestore ended with status 1" in errors
    assert "file is not a database" in errors
    assert [json.loads(line)["cloud"] for line in output.splitlines()] == ["aws"]
    assert not (tmp_path / "aws" / "environment").exists()


@pytest.mark.parametrize("clouds", ["ibm", "aws,ibm", ",", ""])
def test_unknown_clouds_are_named(clouds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake is told before anything starts, with the clouds that there are."""
    with pytest.raises(SystemExit) as stopped:
        main(["up", "--cloud", clouds])

    assert stopped.value.code == 2
    assert "aws, azure, gcp" in capsys.readouterr().err
