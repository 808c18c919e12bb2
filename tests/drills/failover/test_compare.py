"""Reports side by side: better, worse, and an exit status that a pipeline can act on."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest

from drills.failover.report import compare
from drills.failover.report.compare import Change
from tests.drills.failover.sample_report import HOSTILE, failed_report, figure_of, sample_report

DAY_MS = 86_400_000


def next_day(report: dict[str, Any]) -> dict[str, Any]:
    later = copy.deepcopy(report)
    later["started_at_ms"] += DAY_MS
    return later


def change_of(comparison: compare.Comparison, name: str) -> Change:
    return next(each.change for each in comparison.figures if each.name == name)


def pair_with(figure_id: str, before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """Two reports that differ in one figure."""
    old, new = sample_report(), next_day(sample_report())
    figure_of(old, figure_id).update(before)
    figure_of(new, figure_id).update(now)
    return [old, new]


def test_two_equal_reports_are_fine() -> None:
    """Nothing changed: status 0."""
    comparison = compare.compare([sample_report(), next_day(sample_report())], worse_share=0.0)

    assert {each.change for each in comparison.figures} == {Change.SAME, Change.UNKNOWN}
    assert comparison.exit_status == 0


@pytest.mark.parametrize(
    ("before", "now", "change", "status"),
    [
        ({"value": 4.0}, {"value": 3.0}, Change.BETTER, 0),
        ({"value": 4.0}, {"value": 4.8}, Change.SLIGHTLY_WORSE, 0),
        ({"value": 4.0}, {"value": 4.9}, Change.WORSE, 1),
        ({"value": 5.9}, {"value": 6.1, "met": False}, Change.WORSE, 1),
        ({"value": 0.0}, {"value": 0.4}, Change.SLIGHTLY_WORSE, 0),
        ({"value": 0.0, "goal": "", "met": None}, {"value": 0.4, "goal": "", "met": None}, Change.WORSE, 1),
        ({"value": 4.0}, {"value": None, "met": False}, Change.GONE, 1),
        ({"value": 4.0, "goal": "", "met": None}, {"value": None, "goal": "", "met": None}, Change.UNKNOWN, 0),
        ({"value": None}, {"value": 4.0}, Change.UNKNOWN, 0),
        ({"value": 0.90, "goal": "≥ 0.5"}, {"value": 0.95, "goal": "≥ 0.5"}, Change.BETTER, 0),
        ({"value": 0.90, "goal": "≥ 0.5"}, {"value": 0.60, "goal": "≥ 0.5"}, Change.WORSE, 1),
        ({"value": 0.2, "step": 1.0}, {"value": 1.2, "step": 1.0}, Change.SAME, 0),
        ({"value": 1.2, "step": 1.0}, {"value": 0.2, "step": 1.0}, Change.SAME, 0),
        ({"value": 0.2, "step": 1.0}, {"value": 1.3, "step": 1.0}, Change.WORSE, 1),
        ({"value": 0.2, "step": 0.1}, {"value": 1.2, "step": 1.0}, Change.SAME, 0),
        ({"value": 5.9, "step": 1.0}, {"value": 6.1, "step": 1.0, "met": False}, Change.WORSE, 1),
    ],
)
def test_change_of_one_figure(before: dict[str, Any], now: dict[str, Any], change: Change, status: int) -> None:
    """With a fifth allowed: less is better unless the goal is a least value; goals, zero, silence and steps count."""
    comparison = compare.compare(pair_with("rto_dns_s", before, now), worse_share=0.2)

    assert change_of(comparison, "RTO, DNS road") is change
    assert comparison.exit_status == status


def test_figure_that_vanished_is_not_overlooked() -> None:
    """A figure with a goal that the newest report does not have at all counts as worse."""
    old, new = sample_report(), next_day(sample_report())
    new["figures"] = [each for each in new["figures"] if each["id"] != "lost_count"]

    comparison = compare.compare([old, new], worse_share=0.2)

    assert change_of(comparison, "RPO: acknowledged uploads lost") is Change.GONE
    assert comparison.exit_status == 1


@pytest.mark.parametrize("is_reversed", [False, True])
def test_newest_decides_in_whatever_order(is_reversed: bool) -> None:
    """Reports are sorted by their start; that an older one failed does not matter."""
    old, new = failed_report(), next_day(next_day(sample_report()))

    comparison = compare.compare([new, old] if is_reversed else [old, new], worse_share=0.0)

    assert comparison.reports == (old, new)
    assert comparison.exit_status == 0


def test_newest_that_failed_is_status_1() -> None:
    """However lenient the threshold."""
    comparison = compare.compare([sample_report(), failed_report()], worse_share=1000.0)

    assert comparison.exit_status == 1
    assert "The newest drill failed: 2 acknowledged uploads are lost" in compare.as_text(comparison)


def test_three_reports_stand_side_by_side() -> None:
    """Each has its column; the change is from the second to the third."""
    first, second = pair_with("rto_dns_s", {"value": 1.0}, {"value": 4.0})
    third = next_day(second)

    comparison = compare.compare([first, second, third], worse_share=0.2)

    line = next(each for each in comparison.figures if each.name == "RTO, DNS road")
    assert (line.values, line.change) == (("1 s", "4 s", "4 s"), Change.SAME)


def test_scenarios_are_not_mixed() -> None:
    """Figures of different scenarios say nothing about each other."""
    other = sample_report()
    other["scenario"]["name"] = "hang"

    with pytest.raises(ValueError, match="functions-dead, hang"):
        compare.compare([sample_report(), other], worse_share=0.2)


def test_other_machine_is_mentioned() -> None:
    """Then differences in time may be the machine's."""
    other = next_day(sample_report())
    other["machine"] = {"cpu_count": 64, "python": "3.13", "platform": "Linux"}

    assert "The machines differ" in compare.as_text(compare.compare([sample_report(), other], worse_share=0.2))


def test_hostile_name_does_not_reach_the_terminal() -> None:
    """Control characters in a figure's name are shown, not sent."""
    old, new = pair_with("rto_dns_s", {}, {"name": "\x1b[2J\x1b]0;owned\x07 evil"})

    text = compare.as_text(compare.compare([old, new], worse_share=0.2))

    assert "\x1b" not in text
    assert "\\x1b[2J" in text


def test_hostile_name_stays_text_in_html(tmp_path: Path) -> None:
    """As in the report."""
    old, new = pair_with("rto_dns_s", {}, {"name": HOSTILE})

    compare.write(compare.compare([old, new], worse_share=0.2), tmp_path / "compared.html")

    source = (tmp_path / "compared.html").read_text(encoding="utf-8")
    assert "<script" not in source
    assert "&lt;script&gt;" in source


def test_files_are_compared(tmp_path: Path) -> None:
    """From files to a table, a page and a status."""
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for path, report in zip(paths, (sample_report(), failed_report()), strict=True):
        path.write_text(json.dumps(report), encoding="utf-8")
    out = io.StringIO()

    status = compare.main(paths, worse_share=0.2, html_path=tmp_path / "compared.html", out=out)

    assert status == 1
    assert "RTO, DNS road" in out.getvalue()
    assert "✗ Failed" in (tmp_path / "compared.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("not json", "is not JSON"),
        ("[]", "is no report of version 1"),
        ('{"version": 2}', "is no report of version 1"),
        ('{"version": 1, "scenario": {}}', "lacks failures, figures"),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, complaint: str) -> None:
    """A file that is no report ends in status 2 and one line that says which and why."""
    (tmp_path / "wrong.json").write_text(content, encoding="utf-8")

    status = compare.main([tmp_path / "wrong.json", tmp_path / "wrong.json"])

    error = capsys.readouterr().err
    assert status == 2
    assert complaint in error
    assert "wrong.json" in error


def test_one_report_is_not_a_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends in status 2, not in a pass."""
    (tmp_path / "one.json").write_text(json.dumps(sample_report()), encoding="utf-8")

    assert compare.main([tmp_path / "one.json"]) == 2
    assert "two reports or more" in capsys.readouterr().err
