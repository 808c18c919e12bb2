"""A whole drill on local clouds, shorter than those of drills/scenarios: load, fault, failback, check, report."""

import json
from pathlib import Path

import pytest

from drills.failover.__main__ import main
from drills.failover.history import load_history

SCENARIO = """\
name: short
title: The functions of the active cloud die for a short while
description: As functions-dead, in a third of the time.
load:
  dns: {per_s: 1}
  api: {per_s: 1}
  presigned: {per_s: 0.5}
  bucket: {per_s: 1}
timeline:
  - {at_s: 0, fault: functions-dead, cloud: aws, for_s: 10}
durations: {before_s: 3, after_s: 3}
goals: {error_share: 0}
"""


@pytest.mark.timeout(240)
def test_whole_drill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It passes, because everything that was acknowledged is recorded once everywhere; and it did break something."""
    path = tmp_path / "short.yml"
    path.write_text(SCENARIO)

    status = main([str(path), "--report", str(tmp_path / "reports"), "--json"])

    report = json.loads(capsys.readouterr().out)
    figures = {each["id"]: each["value"] for each in report["figures"]}
    (folder,) = (tmp_path / "reports").iterdir()
    assert (status, report["verdict"], report["failures"]) == (0, "passed", [])
    assert report["uploads"]["acknowledged_count"] == report["uploads"]["sent_count"] > 40
    assert figures["failed_try_count"] > 0
    assert figures["switch_s"] is not None
    assert figures["queue_rto_s"] is not None
    assert json.loads((folder / "report.json").read_text()) == report
    assert len(load_history(folder / "history.json").sent) == report["uploads"]["sent_count"]
    assert "</html>" in (folder / "report.html").read_text()
