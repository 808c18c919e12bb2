"""report.json has exactly the form that its readers were written for."""

import json
from typing import Any

import pytest
from drill_histories import whole_history

from drills.failover.verdict.judge import judge

NUMBER = (int, float)
OR_NONE = (int, float, type(None))
PHASE = {"count": int, "p50": OR_NONE, "p95": OR_NONE, "p99": OR_NONE}
FORM: dict[str, Any] = {
    "version": int,
    "scenario": {"name": str, "title": str, "description": str, "seed": int},
    "verdict": str,
    "failures": [str],
    "started_at_ms": int,
    "finished_at_ms": int,
    "machine": {"cpu_count": int, "python": str, "platform": str},
    "target": str,
    "copies": int,
    "clouds": [str],
    "roads": [str],
    "load_per_s": {"api": NUMBER, "bucket": NUMBER},
    "what_is_real": {"aws": str, "gcp": str, "azure": str},
    "phases": [{"name": str, "from_at_ms": int, "to_at_ms": int}],
    "bands": [{"cloud": str, "what": str, "from_at_ms": int, "to_at_ms": int}],
    "events": [{"at_ms": int, "kind": str, "cloud": str, "text": str}],
    "seconds": [
        {
            "at_ms": int,
            "road": str,
            "cloud": str,
            "ok_count": int,
            "error_count": int,
            "p50_ms": OR_NONE,
            "max_ms": OR_NONE,
        }
    ],
    "figures": [
        {
            "id": str,
            "name": str,
            "value": OR_NONE,
            "unit": str,
            "definition": str,
            "goal": str,
            "met": (bool, type(None)),
            "step": NUMBER,
        }
    ],
    "latency_ms": {road: dict.fromkeys(("before", "during", "after"), PHASE) for road in ("api", "bucket")},
    "uploads": dict.fromkeys(
        (
            *("sent_count", "acknowledged_count", "recorded_count", "lost_count", "duplicate_count"),
            *("twice_executed_count", "not_acknowledged_but_recorded_count"),
        ),
        int,
    ),
    "wrong_uploads": [{"upload_id": str, "road": str, "faults": [str]}],
    "anchors": [{"what": str, "rto": str, "rpo": str, "source": str}],
}


def deviations(given: Any, form: Any, where: str = "report") -> list[str]:
    """Where it is not of the form, and how."""
    if isinstance(form, dict):
        if not isinstance(given, dict) or set(given) != set(form):
            return [f"{where}: {sorted(given) if isinstance(given, dict) else given}, not {sorted(form)}"]
        return [found for name in form for found in deviations(given[name], form[name], f"{where}.{name}")]
    if isinstance(form, list):
        if not isinstance(given, list):
            return [f"{where}: no list"]
        return [found for n, each in enumerate(given) for found in deviations(each, form[0], f"{where}[{n}]")]
    is_good = isinstance(given, form) and not (isinstance(given, bool) and form in (int, NUMBER, OR_NONE))
    return [] if is_good else [f"{where}: {given!r}"]


@pytest.mark.parametrize("is_broken", [False, True])
def test_report_has_the_form(is_broken: bool) -> None:
    """Also of a drill that failed; and it is JSON, without infinities."""
    history = whole_history(ledgers=dict.fromkeys(("aws", "gcp", "azure"), ())) if is_broken else whole_history()

    report = json.loads(json.dumps(judge(history), allow_nan=False))

    assert deviations(report, FORM) == []
    assert report["version"] == 1
    assert (report["verdict"] == "passed") == (not report["failures"]) == (not is_broken)


def test_units_are_known() -> None:
    """Readers format by unit."""
    units = {each["unit"] for each in judge(whole_history())["figures"]}

    assert units <= {"s", "uploads", "ms", "share", ""}
