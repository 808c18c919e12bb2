"""Reports of one scenario side by side: what got better, what got worse, and whether that is still allowed.

from drills.failover.report import compare
status = compare.main([Path("monday/report.json"), Path("today/report.json")], worse_share=0.2)
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from drills.failover.report.html_report import REPORT_VERSION, is_passed
from drills.failover.report.markup import Html, tag
from drills.failover.report.markup import table as html_table
from drills.failover.report.page import note, page, section
from drills.failover.report.quantities import date_and_clock, quantity
from drills.text_table import format_table, shorten

DEFAULT_WORSE_SHARE = 0.5  # times on a shared machine vary by a third from run to run
_CELL_WIDTH = 40


class Change(StrEnum):
    """What became of a figure, from the report before the newest to the newest."""

    BETTER = "better"
    SAME = "same"
    SLIGHTLY_WORSE = "slightly worse"  # within the share that is allowed
    WORSE = "WORSE"
    GONE = "NOT MEASURED"  # it was measured and had a goal, and now nobody knows
    UNKNOWN = "–"


_NOT_ALLOWED = frozenset({Change.WORSE, Change.GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFigure:
    """One line. `values`: a text for each report, oldest first."""

    name: str
    values: tuple[str, ...]
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All lines. `reports` are sorted, oldest first."""

    reports: tuple[Mapping[str, Any], ...]
    figures: tuple[ComparedFigure, ...]
    worse_share: float

    @property
    def exit_status(self) -> int:
        """1 if the newest drill failed, or a figure of it is worse than allowed."""
        return int(not is_passed(self.reports[-1]) or any(each.change in _NOT_ALLOWED for each in self.figures))


def main(
    paths: Sequence[Path],
    *,
    worse_share: float = DEFAULT_WORSE_SHARE,
    html_path: Path | None = None,
    out: TextIO | None = None,
) -> int:
    """Read reports, show them side by side, and return the exit status; 2 if they cannot be compared.

    Args:
        worse_share: How much worse a figure may be than in the report before: 0.2 is a fifth.
        html_path: Where the comparison goes as a file of its own.
    """
    try:
        comparison = compare([read_report(path) for path in paths], worse_share=worse_share)
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(as_text(comparison), file=out or sys.stdout)
    if html_path:
        write(comparison, html_path)
    return comparison.exit_status


def read_report(path: Path) -> dict[str, Any]:
    """Read a report.json.

    Raises:
        ValueError: It is none, or of another version.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}. Give a report.json that a drill wrote.") from error
    if not isinstance(report, dict) or report.get("version") != REPORT_VERSION:
        raise ValueError(f"{path} is no report of version {REPORT_VERSION}. Give a report.json that a drill wrote.")
    missing = {"scenario", "verdict", "failures", "started_at_ms", "figures", "machine"} - report.keys()
    if missing:
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}. Give a whole report.json.")
    return report


def compare(reports: Sequence[Mapping[str, Any]], *, worse_share: float) -> Comparison:
    """Compare the newest report with the one before it; older ones are shown beside them.

    Raises:
        ValueError: Fewer than two, or of different scenarios, whose figures say nothing about each other.
    """
    if len(reports) < 2:
        raise ValueError("a comparison needs two reports or more")
    names = sorted({str(report["scenario"]["name"]) for report in reports})
    if len(names) > 1:
        raise ValueError(f"the reports are of different scenarios ({', '.join(names)}): compare one scenario at a time")
    ordered = tuple(sorted(reports, key=lambda report: int(report["started_at_ms"])))
    by_id = [{each["id"]: each for each in report["figures"]} for report in ordered]
    ids = dict.fromkeys(id for figures in reversed(by_id) for id in figures)
    return Comparison(
        reports=ordered,
        figures=tuple(_figure([figures.get(id) for figures in by_id], worse_share) for id in ids),
        worse_share=worse_share,
    )


def as_text(comparison: Comparison) -> str:
    """The comparison as a table for terminals and logs."""
    rows = [[shorten(cell, width=_CELL_WIDTH) for cell in row] for row in (_header(comparison), *_rows(comparison))]
    numeric = frozenset(range(1, len(comparison.reports) + 1))
    table = format_table(rows, right_aligned=numeric)
    title = shorten(f"Scenario {comparison.reports[-1]['scenario']['name']}", width=120)
    return "\n".join([title, "", table, "", *_remarks(comparison)])


def write(comparison: Comparison, path: Path) -> None:
    """Write the comparison as one self-contained HTML file."""
    name = comparison.reports[-1]["scenario"]["name"]
    header, rows = list(_header(comparison)), [list(row) for row in _rows(comparison)]
    numeric = frozenset(range(1, len(comparison.reports) + 1))
    worded = [[*row[:-1], _marked(row[-1])] for row in rows]
    verdict = "✓ Nothing worse than allowed" if comparison.exit_status == 0 else "✗ Failed, or worse than allowed"
    css = "passed" if comparison.exit_status == 0 else "failed"
    content = page(
        f"Failover drill {name}: compared",
        tag("header", tag("p", "Failover drills compared", class_="kicker"), tag("h1", name)),
        tag("section", tag("h2", verdict), class_=f"verdict {css}"),
        section(
            "Figures",
            html_table("Oldest first", header, worded, numeric=numeric, class_="stacked compared"),
            *[note(each) for each in _remarks(comparison)],
        ),
    )
    path.write_text(content, encoding="utf-8")


def _marked(change: str) -> Html:
    css = {Change.BETTER: "met", Change.WORSE: "missed", Change.GONE: "missed"}.get(Change(change), "quiet")
    return tag("span", change, class_=css)


def _header(comparison: Comparison) -> tuple[str, ...]:
    return ("figure", *(date_and_clock(report["started_at_ms"]) for report in comparison.reports), "change")


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    verdicts = ["passed" if is_passed(report) else "FAILED" for report in comparison.reports]
    changes = {
        ("passed", "FAILED"): Change.WORSE,
        ("FAILED", "passed"): Change.BETTER,
    }
    verdict = ("verdict", *verdicts, changes.get((verdicts[-2], verdicts[-1]), Change.SAME))
    return [verdict, *((each.name, *each.values, each.change) for each in comparison.figures)]


def _remarks(comparison: Comparison) -> list[str]:
    worse = [each.name for each in comparison.figures if each.change in _NOT_ALLOWED]
    newest, before = comparison.reports[-1], comparison.reports[-2]
    remarks = [
        f"Change: from the last but one to the newest; up to {comparison.worse_share:.0%} worse is allowed, but not "
        "past a goal, nor from 0 without one. What differs by no more than one step of measuring counts as the same."
    ]
    if newest["machine"] != before["machine"]:
        remarks.append("The machines differ, so differences in time may be theirs.")
    if worse:
        remarks.append(f"Worse than allowed: {', '.join(worse)}.")
    if not is_passed(newest):
        remarks.append(f"The newest drill failed: {'; '.join(newest['failures']) or newest['verdict']}.")
    return [shorten(each, width=400) for each in remarks]


def _figure(versions: Sequence[Mapping[str, Any] | None], worse_share: float) -> ComparedFigure:
    known = next(each for each in reversed(versions) if each is not None)
    return ComparedFigure(
        name=known["name"],
        values=tuple(quantity(each["value"], each["unit"]) if each else "–" for each in versions),
        change=_change(versions[-2], versions[-1], worse_share),
    )


def _change(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None, worse_share: float) -> Change:
    """All figures are of the kind of which less is better, unless their goal is a least value (≥).

    What was 0 has no share by which it could grow: its goal says whether it may. A figure past its goal is worse
    however little it grew; else a difference within the step of either report is noise.
    """
    if before is None or before["value"] is None:
        return Change.UNKNOWN
    if now is None or now["value"] is None:
        return Change.GONE if before["goal"] else Change.UNKNOWN
    old, new = before["value"], now["value"]
    if old == new:
        return Change.SAME
    is_past_goal = bool(before["met"]) and now["met"] is False
    if not is_past_goal and abs(new - old) <= max(before.get("step", 0.0), now.get("step", 0.0)):
        return Change.SAME
    is_more_better = str(now["goal"]).startswith("≥")
    if (new > old) == is_more_better:
        return Change.BETTER
    is_within = now["met"] is True if old == 0 else abs(new - old) / abs(old) <= worse_share
    if is_past_goal or not is_within:
        return Change.WORSE
    return Change.SLIGHTLY_WORSE
