"""The verdict: from what was seen to the report. Pure, so that it can be tried on histories of broken builds.

Passed means: every file is accounted for, every goal is met, and the drill itself went as it was meant to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from drills.failover.history import History
from drills.failover.verdict.anchors import ANCHORS
from drills.failover.verdict.figure_definitions import DEFINITIONS
from drills.failover.verdict.figures import Figures, compute_figures
from drills.failover.verdict.series import latency, seconds
from drills.failover.verdict.upload_check import Checked, check_uploads

REPORT_VERSION = 1
WRONG_MAX_COUNT = 100
ALWAYS = {"lost_count": 0.0, "duplicate_count": 0.0}


def judge(history: History) -> dict[str, Any]:
    """Judge a drill. The result is report.json."""
    checked, foreign_count = check_uploads(history.sent, history.ledgers)
    figures = compute_figures(history, checked)
    goals = {**ALWAYS, **history.goals}
    per_s = history.about.get("load_per_s", {})
    wrong = [each for each in checked if each.faults]
    failures = [
        *history.troubles,
        *_load_failures(history),
        *_upload_failures(wrong, foreign_count),
        *([] if history.moments.agreed_at_ms else ["the ledgers did not agree within the time allowed"]),
        *_goal_failures(figures, goals),
    ]
    return {
        "version": REPORT_VERSION,
        "scenario": dict(history.scenario),
        "verdict": "failed" if failures else "passed",
        "failures": failures,
        "started_at_ms": history.started_at_ms,
        "finished_at_ms": history.finished_at_ms,
        **history.about,
        "phases": [{"name": name, "from_at_ms": start, "to_at_ms": end} for name, start, end in history.phases],
        "bands": [
            {"cloud": each.cloud, "what": each.what, "from_at_ms": each.from_at_ms, "to_at_ms": each.to_at_ms}
            for each in history.bands
        ],
        "events": [asdict(each) for each in sorted(history.events, key=lambda each: each.at_ms)],
        "seconds": seconds(history),
        "figures": [_figure(name, value, goals.get(name), per_s) for name, value in figures.items()],
        "latency_ms": latency(history),
        "uploads": _upload_counts(history, checked, figures),
        "wrong_uploads": [
            {"upload_id": each.upload_id or each.sent.name, "road": each.sent.road, "faults": list(each.faults)}
            for each in wrong[:WRONG_MAX_COUNT]
        ],
        "anchors": list(ANCHORS),
    }


def is_met(value: float | None, goal: float) -> bool:
    """What was not measured meets no goal."""
    return value is not None and value <= goal


def _figure(name: str, value: float | None, goal: float | None, per_s: Mapping[str, float]) -> dict[str, Any]:
    definition = DEFINITIONS[name]
    return {
        "id": name,
        "name": definition.name,
        "value": value,
        "unit": "" if definition.unit == "tries" else definition.unit,
        "definition": definition.text,
        "goal": "" if goal is None else f"≤ {goal:g}" if goal else "0",
        "met": None if goal is None else is_met(value, goal),
        "step": round(definition.step_at(per_s), 3),
    }


def _load_failures(history: History) -> list[str]:
    """A drill without load would pass whatever happens."""
    during = {each.road for each in history.sent if each.began_at_ms >= history.phases[1][1]}
    missing = [road for road in _roads(history) if road not in during]
    return [f"nothing was sent by the {road} road after the first fault" for road in missing]


def _roads(history: History) -> Sequence[str]:
    roads: Sequence[str] = history.about["roads"]
    return roads


def _upload_failures(wrong: Sequence[Checked], foreign_count: int) -> list[str]:
    failures = []
    if wrong:
        failures.append(f"{len(wrong)} uploads are not as they should be; the first: {'; '.join(wrong[0].faults)}")
    if foreign_count:
        failures.append(f"{foreign_count} uploads in the ledgers belong to no file that was sent")
    return failures


def _goal_failures(figures: Figures, goals: Mapping[str, float]) -> list[str]:
    return [
        f"{DEFINITIONS[name].name}: {'not measured' if figures.get(name) is None else f'{figures[name]:g}'},"
        f" and the goal is at most {goal:g}"
        for name, goal in goals.items()
        if not is_met(figures.get(name), goal)
    ]


def _upload_counts(history: History, checked: Sequence[Checked], figures: Figures) -> dict[str, Any]:
    return {
        "sent_count": len(history.sent),
        "acknowledged_count": sum(each.is_acknowledged for each in history.sent),
        "recorded_count": sum(each.is_recorded for each in checked),
        "lost_count": figures["lost_count"],
        "duplicate_count": figures["duplicate_count"],
        "twice_executed_count": figures["twice_executed_count"],
        "not_acknowledged_but_recorded_count": sum(
            each.is_recorded and not each.sent.is_acknowledged for each in checked
        ),
    }
