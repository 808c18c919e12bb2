"""The drill in plain lines: what happens while it runs, and the report at its end."""

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from drills.failover.history import Event, Sent
from drills.text_table import format_table

_COUNT_EVERY_S = 10.0


class Reporter:
    """Prints a line for each event, and now and then how many files are through. From any thread."""

    def __init__(self, *, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._acknowledged_count = self._given_up_count = 0
        self._counted_s = time.monotonic()

    def say(self, event: Event) -> None:
        where = f"{event.cloud}: " if event.cloud else ""
        self._line(event.at_ms, event.kind, f"{where}{event.text}")

    def count(self, sent: Sent) -> None:
        """One file is acknowledged or given up."""
        with self._lock:
            self._acknowledged_count += sent.is_acknowledged
            self._given_up_count += not sent.is_acknowledged
            if time.monotonic() < self._counted_s + _COUNT_EVERY_S:
                return
            self._counted_s = time.monotonic()
            text = f"{self._acknowledged_count} files acknowledged, {self._given_up_count} given up"
        self._line(sent.ended_at_ms, "load", text)

    def _line(self, at_ms: int, kind: str, text: str) -> None:
        at = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-5]
        print(f"{at}  {kind:8}  {text}", file=self._out, flush=True)


def format_report(report: Mapping[str, Any]) -> str:
    """The verdict first, then the figures and what is wrong."""
    scenario = report["scenario"]
    rows = [("figure", "value", "goal", "")]
    rows += [
        (each["name"], _value(each), each["goal"], {True: "met", False: "MISSED", None: ""}[each["met"]])
        for each in report["figures"]
        if each["value"] is not None or each["goal"]
    ]
    uploads = report["uploads"]
    lines = [
        f"{scenario['name']}: {report['verdict'].upper()}. {scenario['title']}",
        f"{uploads['sent_count']} files sent, {uploads['acknowledged_count']} acknowledged,"
        f" {uploads['recorded_count']} recorded, {uploads['lost_count']} lost,"
        f" {uploads['duplicate_count']} duplicates.",
        "",
        format_table(rows, right_aligned=frozenset({1})),
        "",
        _latency_table(report["latency_ms"]),
        *(f"✗ {failure}" for failure in report["failures"]),
        *(f"✗ {each['upload_id']} ({each['road']}): {'; '.join(each['faults'])}" for each in report["wrong_uploads"]),
    ]
    return "\n".join(lines) + "\n"


def format_summary(done: Sequence[tuple[str, str, float]]) -> str:
    """Several drills in a table: scenario, verdict, seconds; and their sum."""
    rows = [("scenario", "verdict", "seconds")]
    rows += [
        (name, verdict if verdict == "passed" else verdict.upper(), f"{took_s:.0f}") for name, verdict, took_s in done
    ]
    rows.append(
        (
            "all",
            f"{sum(verdict == 'passed' for _, verdict, _ in done)} of {len(done)} passed",
            f"{sum(each[2] for each in done):.0f}",
        )
    )
    return format_table(rows, right_aligned=frozenset({2}))


def _value(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    return f"{figure['value']:g} {figure['unit']}".strip() if figure["unit"] != "share" else f"{figure['value']:.1%}"


def _latency_table(latency_ms: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    rows: list[tuple[str, ...]] = [("latency, ms", "phase", "files", "p50", "p95", "p99")]
    for road, phases in latency_ms.items():
        for phase, each in phases.items():
            cells = ("–" if each[name] is None else f"{each[name]:g}" for name in ("p50", "p95", "p99"))
            rows.append((road, phase, str(each["count"]), *cells))
    return format_table(rows, right_aligned=frozenset({2, 3, 4, 5}))
