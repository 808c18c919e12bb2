"""`python -m drills.failover`: what needs no clouds."""

import subprocess
import sys
from pathlib import Path

import pytest

from drills.failover.__main__ import main
from drills.failover.scenario_file import scenario_paths

PROJECT_FOLDER = Path(__file__).parents[3]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Each scenario with its title, and exit status 0."""
    status = main(["--list"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert [line.split()[0] for line in lines] == list(scenario_paths())


def test_misspelt_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started; the names that there are, are told."""
    status = main(["functions-deed"])

    assert status == 2
    assert "there is no scenario 'functions-deed'; there are: bad-deploy" in capsys.readouterr().err


def test_own_file_with_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file and the field are named."""
    path = tmp_path / "mine.yml"
    path.write_text("name: mine\ntitle: Mine\ndescription: Mine.\nload: {api: {per_s: many}}\n")

    status = main([str(path)])

    assert status == 2
    assert f"{path}: load.api.per_s must be a number" in capsys.readouterr().err


def test_as_a_program() -> None:
    """The way in which it is typed."""
    done = subprocess.run(
        [sys.executable, "-m", "drills.failover", "--list"], cwd=PROJECT_FOLDER, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "planned-switch" in done.stdout
