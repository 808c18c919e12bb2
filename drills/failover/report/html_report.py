"""The report of a drill as one HTML file: verdict, figures, plots, events, and what was real.

html_report.write(json.loads(Path("report.json").read_text()), Path("report.html"))
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drills.failover.report.latency_plot import latency_plot, latency_table
from drills.failover.report.markup import Html, escape, scrolling, table, tag
from drills.failover.report.page import folded, note, page, section
from drills.failover.report.plot_data import plot_data
from drills.failover.report.quantities import clock, date_and_clock, quantity, verdict_of_goal
from drills.failover.report.timeline_plot import timeline_plot, timeline_table

REPORT_VERSION = 1
_EVENTS_OPEN_MAX_COUNT = 40
_PHASES = ("before", "during", "after")
_WORDS = (
    ("acknowledged", "The client was told that the upload is taken in. From then on it must not be lost."),
    ("recorded", "The upload stands in a ledger, with size and sha256, as done."),
    ("lost", "Acknowledged, and recorded in no ledger when all was quiet again."),
    ("duplicate", "More than one record for one file, after all ledgers are merged."),
    (
        "request, error",
        "One try of a client, counted in the second in which it ended, at the cloud that it was sent to.",
    ),
    ("RTO, RPO", "How long work stood still, as clients saw it; how much acknowledged work was lost."),
    ("route", "The cloud that a majority of the clouds holds to be the one that serves."),
    ("health", "What the clouds' votes say of a cloud: well, or suspected."),
    ("before, during, after", "Up to the first fault; from then until the last one ended; from then on."),
    ("p50, p95, p99", "So many percent of the requests took this long or less."),
)


def write(report: Mapping[str, Any], path: Path) -> None:
    """Write the HTML report.

    Args:
        report: As report.json, version 1.

    Raises:
        ValueError: It is of another version.
    """
    path.write_text(report_html(report), encoding="utf-8")


def report_html(report: Mapping[str, Any]) -> str:
    """The file's text. Raises as `write`."""
    if report.get("version") != REPORT_VERSION:
        raise ValueError(f"a report of version {report.get('version')!r}; this program reads version {REPORT_VERSION}")
    scenario, data = report["scenario"], plot_data(report)
    return page(
        f"{'Passed' if is_passed(report) else 'Failed'}: failover drill {scenario['name']}",
        _header(report),
        _verdict(report),
        section("Figures", _figures(report)),
        section("Time line", timeline_plot(data), folded("Time line as a table", timeline_table(data)), _origin()),
        section(
            "Latency", latency_plot(data), _latency_summary(report), folded("Latency as a table", latency_table(data))
        ),
        section("Beside published figures", _anchors(report)),
        section("Events", _events(report, data.start_at_ms)),
        section("Wrong uploads", _wrong_uploads(report)),
        section("What is real, what is emulated", _what_is_real(report)),
        section("Definitions", _definitions()),
        _footer(report),
    )


def is_passed(report: Mapping[str, Any]) -> bool:
    """Only the one word counts as passed, and only without failures."""
    return report["verdict"] == "passed" and not report["failures"]


def _header(report: Mapping[str, Any]) -> Html:
    scenario = report["scenario"]
    took_s = (report["finished_at_ms"] - report["started_at_ms"]) / 1000
    facts = [
        f"{date_and_clock(report['started_at_ms'])} UTC",
        f"{took_s:.0f} s",
        f"{report['target']} clouds {', '.join(report['clouds'])}",
        f"copies {report['copies']}",
    ]
    return tag(
        "header",
        tag("p", "Failover drill · ", tag("code", scenario["name"]), class_="kicker"),
        tag("h1", scenario["title"]),
        tag("p", scenario["description"]),
        tag("p", " · ".join(facts), class_="note"),
    )


def _verdict(report: Mapping[str, Any]) -> Html:
    has_passed = is_passed(report)
    failures = tag("ul", *[tag("li", each) for each in report["failures"]]) if report["failures"] else Html()
    counts = report["uploads"]
    tiles = [
        ("sent", counts["sent_count"], False),
        ("acknowledged", counts["acknowledged_count"], False),
        ("recorded", counts["recorded_count"], False),
        ("lost", counts["lost_count"], counts["lost_count"] > 0),
        ("duplicates", counts["duplicate_count"], counts["duplicate_count"] > 0),
        ("executed twice", counts["twice_executed_count"], False),
        ("recorded without acknowledgement", counts["not_acknowledged_but_recorded_count"], False),
    ]
    return tag(
        "section",
        tag("h2", "✓ Passed" if has_passed else "✗ Failed"),
        failures,
        tag(
            "dl",
            *[_tile(name, "–" if count is None else f"{count:,}", is_bad) for name, count, is_bad in tiles],
            class_="tiles",
        ),
        class_=f"verdict {'passed' if has_passed else 'failed'}",
    )


def _tile(name: str, value: str, is_bad: bool) -> Html:
    return tag("div", tag("dt", name), tag("dd", value), class_="bad" if is_bad else None)


def _figures(report: Mapping[str, Any]) -> Html:
    marks = {True: "met", False: "missed", None: "quiet"}
    rows = [
        [
            escape(each["name"]),
            quantity(each["value"], each["unit"]),
            each["goal"] or "–",
            tag("span", verdict_of_goal(each["met"], each["goal"]), class_=marks[each["met"]]),
            each["definition"],
        ]
        for each in report["figures"]
    ]
    header = ["Figure", "Value", "Goal", "Met", "Definition"]
    return table("What was measured", header, rows, numeric=frozenset({1, 2}), class_="stacked figures")


def _origin() -> Html:
    return note("Second 0 is the start of the load. Health is what the clouds' votes say; grey: not known.")


def _latency_summary(report: Mapping[str, Any]) -> Html:
    rows = []
    for road, phases in report["latency_ms"].items():
        for phase in _PHASES:
            if phase in phases:
                seen = phases[phase]
                shown = [quantity(seen[key], "ms") if seen["count"] else "–" for key in ("p50", "p95", "p99")]
                rows.append([f"{road}, {phase}", f"{seen['count']:,}", *shown])
    header = ["Road and phase", "Count", "p50", "p95", "p99"]
    return table("Latency of acknowledged uploads", header, rows, numeric=frozenset({1, 2, 3, 4}), class_="plain")


def _anchors(report: Mapping[str, Any]) -> Html:
    lost = quantity(report["uploads"]["lost_count"], "uploads")
    rows = [
        [
            tag("span", f"This drill: {each['name']}", class_="own"),
            quantity(each["value"], each["unit"]),
            f"{lost} lost",
            "this report",
        ]
        for each in report["figures"]
        if each["id"].startswith("rto_") or each["id"] == "queue_rto_s"
    ]
    rows += [[each["what"], each["rto"], each["rpo"], each["source"]] for each in report["anchors"]]
    return Html(
        note(
            "Not like with like: the published figures are of services in production over real networks, and some are "
            "promises or computed from settings. They show the size of the numbers."
        )
        + table("RTO and RPO", ["What", "RTO", "RPO", "Source"], rows, class_="stacked anchors")
    )


def _events(report: Mapping[str, Any], start_at_ms: int) -> Html:
    rows = [
        [
            f"{(each['at_ms'] - start_at_ms) / 1000:+.1f} s",
            clock(each["at_ms"]),
            each["kind"],
            each["cloud"] or "–",
            each["text"],
        ]
        for each in report["events"]
    ]
    if not rows:
        return note("None.")
    listed = table("What happened", ["After", "UTC", "Kind", "Cloud", "What"], rows, class_="stacked events")
    if len(rows) <= _EVENTS_OPEN_MAX_COUNT:
        return listed
    return folded(f"All {len(rows)} events", listed)


def _wrong_uploads(report: Mapping[str, Any]) -> Html:
    wrong = report["wrong_uploads"]
    if not wrong:
        return note(f"None of {report['uploads']['sent_count']:,} that were sent.")
    rows = [[tag("code", each["upload_id"]), each["road"], "; ".join(each["faults"])] for each in wrong]
    listed = table("Uploads that are not as they should be, at most 100", ["Upload", "Road", "What is wrong"], rows)
    return scrolling(listed, label="Wrong uploads")


def _what_is_real(report: Mapping[str, Any]) -> Html:
    told = [tag("h3", cloud) + tag("pre", words.rstrip()) for cloud, words in report["what_is_real"].items()]
    return Html("".join(told) or note("The report does not say."))


def _definitions() -> Html:
    return tag("dl", *[tag("div", tag("dt", word), tag("dd", meaning)) for word, meaning in _WORDS], class_="words")


def _footer(report: Mapping[str, Any]) -> Html:
    machine = report["machine"]
    facts = [
        f"report.json version {report['version']}",
        f"seed {report['scenario']['seed']}",
        f"roads {', '.join(report['roads'])}",
        f"{machine['cpu_count']} CPUs, Python {machine['python']}, {machine['platform']}",
        f"{date_and_clock(report['started_at_ms'])} to {clock(report['finished_at_ms'])} UTC",
    ]
    return tag("footer", note(" · ".join(facts)))
