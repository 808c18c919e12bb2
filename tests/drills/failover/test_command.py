"""`python -m drills.failover`: what needs no clouds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drills.failover.__main__ import main
from drills.failover.scenario_file import scenario_paths
from tests.drills.failover.sample_report import figure_of, sample_report

PROJECT_FOLDER = Path(__file__).parents[3]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Each scenario with where it can be played and its title, and exit status 0."""
    status = main(["--list"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert [line.split()[0] for line in lines[1:]] == list(scenario_paths())
    assert any(line.split()[:3] == ["planned-switch", "local,", "deployed"] for line in lines)


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


def test_compare_with_a_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--worse-share` decides, and stands in the text and in the page."""
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for day, path in enumerate(paths):
        report = sample_report()
        report["started_at_ms"] += day
        figure_of(report, "rto_dns_s")["value"] = 2.0 + day
        path.write_text(json.dumps(report))
    asked = ["--compare", *map(str, paths), "--compare-html", str(tmp_path / "compared.html")]

    strict, lenient = main([*asked, "--worse-share", "0.4"]), main([*asked, "--worse-share", "0.6"])

    assert (strict, lenient) == (1, 0)
    assert "up to 60% worse is allowed" in capsys.readouterr().out
    assert "up to 60% worse is allowed" in (tmp_path / "compared.html").read_text()


def test_threshold_that_makes_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused, with what it may be."""
    with pytest.raises(SystemExit) as exit_:
        main(["--compare", "a.json", "--worse-share", "nan"])

    assert exit_.value.code == 2
    assert "float from 0 to 1000, not 'nan'" in capsys.readouterr().err


def test_as_a_program() -> None:
    """The way in which it is typed."""
    done = subprocess.run(
        [sys.executable, "-m", "drills.failover", "--list"], cwd=PROJECT_FOLDER, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "planned-switch" in done.stdout
