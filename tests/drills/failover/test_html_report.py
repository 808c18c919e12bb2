"""The HTML report: its structure, as a parser and a screen reader find it, and its safety."""

import math
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from drills.failover.report.html_report import report_html, write
from drills.failover.report.markup import escape
from drills.failover.report.quantities import quantity
from drills.failover.verdict.anchors import ANCHORS, worst_dns_failover_s
from tests.drills.failover.sample_report import HOSTILE, failed_report, figure_of, hostile_report, sample_report

VOID = {"meta"}
CSS = (Path(__file__).parents[3] / "drills/failover/report/report.css").read_text(encoding="utf-8")


class Page(HTMLParser):
    """The elements in order, and all text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text_by_element: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {tag} {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text_by_element.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, *tags: str) -> str:
        return "\n".join(data for tag, data in self.text_by_element if not tags or tag in tags)


@pytest.mark.parametrize(
    "report", [sample_report(), failed_report(), hostile_report()], ids=["passed", "failed", "hostile"]
)
def test_page_is_well_formed(report: dict[str, Any]) -> None:
    """Every element is closed in order, ids are unique, and what refers to an id finds it."""
    page = Page(report_html(report))

    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    referred = {
        id
        for _, attributes in page.elements
        for name in ("aria-labelledby", "aria-describedby")
        for id in (attributes.get(name) or "").split()
    }
    assert page.open == []
    assert set(ids.values()) == {1}
    assert referred <= ids.keys()


def test_file_is_self_contained() -> None:
    """Nothing is fetched and nothing runs; the page's own policy forbids both."""
    source = report_html(sample_report())

    page = Page(source)
    policy = next(each["content"] for each in page.all("meta") if "http-equiv" in each) or ""
    loading = {"src", "href", "srcset", "data", "action", "style", "poster"}
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object", "image", "use"}
    assert not [attributes for _, attributes in page.elements if loading & attributes.keys()]
    assert set(re.findall(r"url\(([^)]*)\)", source)) <= {f"#pattern-{index}" for index in range(5)}
    assert "@import" not in source


def test_hostile_names_stay_text() -> None:
    """A report whose every text is markup gives the same elements as a harmless one, and shows that text."""
    page = Page(report_html(hostile_report()))

    handlers = [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert handlers == []
    assert not {tag for tag, _ in page.elements} & {"script", "img"}
    assert page.text("h1") == "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&\\u202egpj.exe\\x00\\ud800"


def test_report_with_broken_characters_can_be_written(tmp_path: Path) -> None:
    """Half a surrogate pair in a name does not cost the report."""
    write(hostile_report(), tmp_path / "report.html")

    assert "\\ud800" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_escape_keeps_what_people_write() -> None:
    """Other scripts and emoji stay as they are."""
    assert escape("Ünïcödé 日本 👩‍💻 a b") == "Ünïcödé 日本 👩‍💻 a b"


def test_headings_are_in_order() -> None:
    """One h1; no level is left out; the verdict comes first."""
    page = Page(report_html(failed_report()))

    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.text("h2").startswith("✗ Failed\nFigures")


def test_failures_are_told_in_words() -> None:
    """The verdict, each failure, each missed goal and each wrong upload can be read, not only seen as a colour."""
    report = failed_report()

    text = Page(report_html(report)).text()
    assert text.count("✗ missed") == 2
    assert all(failure in text for failure in report["failures"])
    assert all(each["upload_id"] in text for each in report["wrong_uploads"])


@pytest.mark.parametrize("verdict", ["Passed", "PASSED", "", "passed with failures"])
def test_only_the_agreed_word_is_a_pass(verdict: str) -> None:
    """An unknown verdict, or a pass with failures, is shown as failed."""
    report = sample_report() | {"verdict": verdict.split()[0] if verdict else ""}
    if "failures" in verdict:
        report["failures"] = ["something"]

    assert "✗ Failed" in Page(report_html(report)).text("h2")


def test_another_version_is_refused() -> None:
    """A report of a later program is not shown half."""
    with pytest.raises(ValueError, match="version 2"):
        report_html(sample_report() | {"version": 2})


def test_tables_can_be_read_aloud() -> None:
    """Every table has a caption; every header cell says for what it stands; every row begins with one."""
    page = Page(report_html(failed_report()))

    tags = [tag for tag, _ in page.elements]
    assert tags.count("caption") == tags.count("table") >= 6
    assert {each["scope"] for each in page.all("th")} == {"col", "row"}
    assert [each for each in page.all("th") if each["scope"] == "row"] != []
    rows = [index for index, tag in enumerate(tags) if tag == "tr"]
    assert all(tags[index + 1] == "th" for index in rows)


def test_pictures_have_words() -> None:
    """Each plot is an image with a title and a description, and its numbers stand in a table that can be unfolded."""
    page = Page(report_html(sample_report()))

    plots = [each for each in page.all("svg") if each.get("role") == "img"]
    assert len(plots) == 2
    assert all(each["aria-hidden"] == "true" for each in page.all("svg") if each not in plots)
    assert "aws: functions dead, from second 20 to 55" in page.text("desc")
    assert "gcp from second 23.6" in page.text("desc")
    assert page.text("summary") == "Time line as a table\nLatency as a table"


def test_every_request_is_in_the_table() -> None:
    """The data table's counts add up to the report's."""
    report = sample_report()

    source = report_html(report)
    table = source[source.index("Requests that ended in each second") :]
    rows = re.findall(r"<tr role=\"row\"><th[^>]*row[^>]*>\d+</th>(.*?)</tr>", table[: table.index("</table>")])
    counts = [[int(cell) for cell in re.findall(r'class="number"[^>]*>(\d+)<', row)] for row in rows]
    assert len(rows) == 90
    assert sum(sum(each[:3]) for each in counts) == sum(row["ok_count"] for row in report["seconds"])
    assert sum(each[3] for each in counts) == sum(row["error_count"] for row in report["seconds"])


def test_long_drills_stay_small() -> None:
    """An hour is drawn in at most 240 steps, says so, and loses no request."""
    report = sample_report(length_s=3600)

    source = report_html(report)
    table = source[source.index("Requests in each 15 s") :]
    rows = re.findall(r"<tr role=\"row\"><th[^>]*row[^>]*>\d+</th>(.*?)</tr>", table[: table.index("</table>")])
    counts = [[int(cell) for cell in re.findall(r'class="number"[^>]*>(\d+)<', row)] for row in rows]
    assert len(rows) == 240
    assert "Each step is 15 s" in source
    assert sum(sum(each[:3]) for each in counts) == sum(row["ok_count"] for row in report["seconds"])


def test_drill_without_load_can_be_shown() -> None:
    """A drill that broke off before anything was sent still gives a page."""
    report = sample_report() | {"seconds": [], "events": [], "bands": [], "phases": [], "latency_ms": {}, "figures": []}

    assert "✓ Passed" in Page(report_html(report)).text("h2")


def test_what_was_not_told_is_not_drawn_as_known() -> None:
    """Before its first event the route is unknown; words about health that nobody defined do not count as well."""
    report = sample_report()
    report["events"] = [
        {"at_ms": report["phases"][1]["from_at_ms"], "kind": kind, "cloud": "gcp", "text": text}
        for kind, text in (("route", "epoch 1"), ("health", "in doubt"))
    ]

    page = Page(report_html(report))
    states = [each for each in page.all("rect") if "state" in (each.get("class") or "")]
    assert [each["class"] for each in states] == [
        *("state untold", "state cloud-1"),  # route
        "state well",  # aws, whom nobody suspects
        *("state well", "state untold"),  # gcp
        "state well",  # azure
    ]


def test_missing_value_is_not_zero() -> None:
    """A figure that was not measured says so."""
    report = sample_report()
    figure_of(report, "rto_dns_s").update(value=None, met=False)

    assert "not measured" in Page(report_html(report)).text("td")


def test_anchors_are_computed_from_their_settings() -> None:
    """Route 53 by default and at its most aggressive: worst cases of about 156 s and 26 s."""
    default_s = worst_dns_failover_s(check_interval_s=30, fail_count=3, timeout_s=6, ttl_s=60)
    aggressive_s = worst_dns_failover_s(check_interval_s=10, fail_count=1, timeout_s=6, ttl_s=10)

    assert (default_s, aggressive_s) == (156, 26)
    assert {f"≈ {default_s} s", f"≈ {aggressive_s} s"} <= {each["rto"] for each in ANCHORS}


def test_anchors_stand_beside_the_drill() -> None:
    """Each published figure is shown with its source, below the drill's own."""
    text = Page(report_html(sample_report())).text()

    assert all(each["what"] in text and each["source"] in text for each in ANCHORS)
    assert "This drill: RTO, DNS road" in text


def colours(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#\w{6})", light if scheme == "light" else dark))


def linear(colour: str) -> list[float]:
    """sRGB to linear light (IEC 61966-2-1)."""
    values = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    return [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted(
        sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear(c), strict=True)) for c in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_in_plots_have_contrast(scheme: str) -> None:
    """Every pair of text and ground has 4.5 : 1 or more, also where browsers' checkers do not look: in pictures."""
    of = colours(scheme)
    pairs = [
        *(("text", ground) for ground in ("page", "well", "untold", "fault-page", "good-page", "bad-page")),
        *(("page", ground) for ground in ("c0", "c1", "c2", "c3", "c4", "unwell")),
        *(("quiet", ground) for ground in ("page",)),
        *(("fault", ground) for ground in ("page", "fault-page")),
        *(("good", ground) for ground in ("page", "good-page")),
        *(("bad", ground) for ground in ("page", "bad-page")),
    ]

    low = {pair: round(contrast(of[pair[0]], of[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
    assert contrast(of["error"], of["page"]) >= 3  # a shape, WCAG 2.2, 1.4.11


# Machado, Oliveira and Fernandes 2009, severity 1.0: protanopia, deuteranopia, tritanopia; in linear light
BLINDNESS = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def oklab(colour: str, kind: str) -> tuple[float, float, float]:
    """As somebody with that colour blindness sees it, in a space of even distances (Ottosson 2020)."""
    r, g, b = (min(max(sum(a * v for a, v in zip(row, linear(colour), strict=True)), 0), 1) for row in BLINDNESS[kind])
    long, medium, short = (
        math.cbrt(x)
        for x in (
            0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
            0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
            0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
        )
    )
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_three_clouds_differ_for_colour_blind_eyes(scheme: str, kind: str) -> None:
    """The colours of the three clouds are far apart (0.02 is just seen) with each kind of colour blindness."""
    of = colours(scheme)

    distances = [math.dist(oklab(of[a], kind), oklab(of[b], kind)) for a, b in combinations(("c0", "c1", "c2"), 2)]
    assert min(distances) >= 0.15


def test_sample_covers_hostile_characters() -> None:
    """The hostile text has what breaks elements, attributes, encodings and the direction of writing."""
    assert {"<", '"', "'", "&", "\u202e", "\x00", "\ud800"} <= set(HOSTILE)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "s", "not measured"),
        (0, "s", "0 s"),
        (4.617, "s", "4.62 s"),
        (0.0013, "share", "0.13 %"),
        (1, "uploads", "1 upload"),
        (12_345, "uploads", "12,345 uploads"),
        (3120.4, "ms", "3,120 ms"),
        (3, "", "3"),
    ],
)
def test_quantities_are_read_as_written(value: float | None, unit: str, shown: str) -> None:
    """Three digits of what was measured, all of what was counted, and the unit."""
    assert quantity(value, unit) == shown
