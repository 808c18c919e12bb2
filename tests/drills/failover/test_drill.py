"""Whole drills on local clouds, shorter than those of drills/scenarios: load, fault, failback, check, report.

Three of our scenarios: two on clouds that the drill starts, one on clouds that are up, as though they were deployed.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from drills.among_others import Settings
from drills.failover.__main__ import main
from drills.failover.history import load_history
from drills.failover.scenario import CLOUDS
from drills.failover.scenario_file import scenario_paths
from drills.failover.surroundings import WATCH_OPTIONS
from drills.local_name import NameSettings
from drills.together import running_together

BRIEF = {"before_s": 1, "after_s": 1}


def shortened(name: str, tmp_path: Path, *, for_s: float) -> Path:
    """Our scenario with a fault that is over soon, and without the goals that a busy machine may miss."""
    given: dict[str, Any] = yaml.safe_load(scenario_paths()[name].read_text())
    given |= {"name": f"short-{name}", "durations": BRIEF, "goals": {"error_share": 0}}
    for entry in given["timeline"]:
        entry["for_s"] = for_s
    path = tmp_path / f"short-{name}.yml"
    path.write_text(yaml.safe_dump(given))
    return path


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "for_s"), [("cloud-outage", 7), ("functions-dead", 7)])
def test_whole_drill(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, for_s: float) -> None:
    """It passes, because everything that was acknowledged is recorded once everywhere; and it did break something."""
    path = shortened(name, tmp_path, for_s=for_s)

    status = main([str(path), "--report", str(tmp_path / "reports"), "--json"])

    report = json.loads(capsys.readouterr().out)
    figures = {each["id"]: each["value"] for each in report["figures"]}
    (folder,) = (tmp_path / "reports").iterdir()
    assert (status, report["verdict"], report["failures"]) == (0, "passed", [])
    assert report["uploads"]["acknowledged_count"] == report["uploads"]["sent_count"] > 25
    assert figures["failed_try_count"] > 0
    assert figures["switch_s"] is not None
    assert name != "functions-dead" or figures["queue_rto_s"] is not None
    assert json.loads((folder / "report.json").read_text()) == report
    assert len(load_history(folder / "history.json").sent) == report["uploads"]["sent_count"]
    assert "</html>" in (folder / "report.html").read_text()


@pytest.mark.timeout(240)
def test_planned_switch(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No try fails. The clouds are taken for deployed ones, of which only a peers file and one bucket are known."""
    settings = Settings(copies=2, takeover_after_s=5, peer_timeout_s=2, lease_margin_s=2)
    watch_options = [text for pair in WATCH_OPTIONS.items() for text in pair]
    name = NameSettings(interval_s=0.5, threshold_count=2, ttl_s=1)
    clouds = running_together(
        CLOUDS,
        tmp_path / "clouds",
        settings=settings,
        watch_options=watch_options,
        keeps_objects=False,
        name_settings=name,
    )
    with clouds as together:
        aws = together.clouds["aws"].local
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.setenv(variable, aws.environment[variable])
        where = ["--peers", str(together.peers_file), "--bucket", f"aws={aws.bucket}"]
        how = ["--yes", "--slower", "0.6", "--json", "--report", str(tmp_path / "reports")]

        status = main(["planned-switch", "--target", "deployed", *where, *how])

    report = json.loads(capsys.readouterr().out)
    figures = {each["id"]: each for each in report["figures"]}
    assert (status, report["verdict"], report["failures"]) == (0, "passed", [])
    assert (report["target"], report["roads"]) == ("deployed", ["dns", "api", "presigned", "bucket"])
    assert figures["failed_try_count"]["met"] is True
    assert figures["switch_s"]["value"] is not None
    assert figures["twice_executed_count"]["value"] is None
