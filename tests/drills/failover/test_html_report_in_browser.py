"""The HTML report in a real browser: drawn by Chromium, judged by axe-core; screen and phone, light and dark."""

import html
import json
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from drills.failover.report import compare
from drills.failover.report.html_report import report_html
from tests.drills.failover.sample_report import failed_report, hostile_report, sample_report

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[3] / "node_modules/axe-core/axe.min.js"
SCHEMES = {"dark": 0, "light": 1}
GROUND = {"dark": (0x16, 0x19, 0x1D), "light": (0xFF, 0xFF, 0xFF)}
WIDTHS = (1280, 390)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: install Debian's chromium")

# Stands in the outer page; the report is in a frame, because a window cannot be as narrow as a phone.
JUDGE = """
const frame = document.querySelector('iframe');
frame.addEventListener('load', async () => {
  const inside = frame.contentWindow, page = frame.contentDocument;
  for (const each of page.querySelectorAll('details')) each.open = true;
  const judged = await inside.axe.run(page, {resultTypes: ['violations']});
  const result = {
    dark: inside.matchMedia('(prefers-color-scheme: dark)').matches,
    innerWidth: inside.innerWidth,
    scrollWidth: page.documentElement.scrollWidth,
    passed: judged.passes.map(each => each.id),
    violations: judged.violations.map(each => [each.id, each.nodes[0].html, each.nodes[0].failureSummary]),
  };
  const told = document.createElement('pre');
  told.id = 'result';
  told.textContent = JSON.stringify(result);
  document.body.append(told);
});
"""


def chromium(folder: Path, source: str, *options: str) -> tuple[str, str]:
    """Open a page in a fresh browser until it ends; return what it wrote to stdout and to stderr."""
    assert CHROMIUM is not None
    (folder / "page.html").write_text(source, encoding="utf-8")
    command = [
        *(CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=20000"),
        *(*options, (folder / "page.html").as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, done.stderr


def framed(source: str, *, width: int, height: int = 4000, script: str = "") -> str:
    """A page that shows another one in a frame of this width."""
    return (
        "<!doctype html><html lang='en'><meta name='color-scheme' content='light dark'><title>frame</title>"
        f"<style>body {{ margin: 0 }} iframe {{ border: 0; width: {width}px; height: {height}px }}</style>"
        f"<body><iframe title='report' srcdoc=\"{html.escape(source)}\"></iframe><script>{script}</script>"
    )


def with_axe(source: str) -> str:
    """The page without the policy that would forbid axe-core, and with axe-core."""
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
    assert without != source
    return without.replace("</head>", f"<script>{AXE.read_text(encoding='utf-8')}</script></head>")


def judged(folder: Path, source: str, *, scheme: str, width: int) -> dict[str, Any]:
    """What axe-core and the browser say of a page."""
    dumped, logged = chromium(
        folder,
        framed(with_axe(source), width=width, script=JUDGE),
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        "--window-size=1280,4000",
        "--dump-dom",
    )
    found = re.search(r'<pre id="result">(.*?)</pre>', dumped, re.DOTALL)
    assert found, f"axe-core did not finish: {logged[-2000:]}"
    result: dict[str, Any] = json.loads(html.unescape(found[1]))
    return result


def console(logged: str) -> list[str]:
    return [line for line in logged.splitlines() if ":CONSOLE" in line]


def compared_html(folder: Path) -> str:
    compare.write(compare.compare([sample_report(), failed_report()], worse_share=0.2), folder / "compared.html")
    return (folder / "compared.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_is_wrong_for_disabled_readers(tmp_path: Path, scheme: str, width: int) -> None:
    """axe-core finds no violation, contrast included, with everything unfolded; nothing overflows sideways."""
    result = judged(tmp_path, report_html(failed_report()), scheme=scheme, width=width)

    assert (result["dark"], result["innerWidth"]) == (scheme == "dark", width)
    assert result["violations"] == []
    assert {"color-contrast", "html-has-lang", "heading-order", "svg-img-alt"} <= set(result["passed"])
    assert result["scrollWidth"] <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_texts_break_no_layout(tmp_path: Path, width: int) -> None:
    """Long words without a blank wrap or scroll in their own place."""
    result = judged(tmp_path, report_html(hostile_report()), scheme="dark", width=width)

    assert result["violations"] == []
    assert result["scrollWidth"] <= width


def test_comparison_is_right_too(tmp_path: Path) -> None:
    """The page of a comparison has no violation and no overflow on a phone."""
    result = judged(tmp_path, compared_html(tmp_path), scheme="light", width=390)

    assert result["violations"] == []
    assert result["scrollWidth"] <= 390


def test_judge_sees_what_is_wrong(tmp_path: Path) -> None:
    """The same judge finds a picture without words, grey on grey, and a table too wide: it can say no."""
    wrong = '<p style="color:#bbb;background:#ccc">grey</p><svg role="img"></svg><p style="width:50rem">wide</p></main>'

    result = judged(tmp_path, report_html(sample_report()).replace("</main>", wrong), scheme="light", width=390)

    assert {"color-contrast", "svg-img-alt"} <= {each[0] for each in result["violations"]}
    assert result["scrollWidth"] > 390


@pytest.mark.parametrize("report", [sample_report(), hostile_report()], ids=["passed", "hostile"])
def test_file_as_written_has_no_complaint(tmp_path: Path, report: dict[str, Any]) -> None:
    """Under its own policy the style applies and the console stays empty, whatever the texts are."""
    _, logged = chromium(tmp_path, report_html(report), "--dump-dom")

    assert console(logged) == []


def test_policy_stops_what_slips_in(tmp_path: Path) -> None:
    """Were a script or a foreign image in the file, the browser would refuse both."""
    slipped = '<script>document.title = "ran"</script><img alt="" src="http://127.0.0.1:9/x.png"></main>'

    dumped, logged = chromium(tmp_path, report_html(sample_report()).replace("</main>", slipped), "--dump-dom")

    assert "<title>ran" not in dumped
    assert len([line for line in console(logged) if "Content Security Policy" in line]) >= 2


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_picture_has_the_scheme_of_its_reader(tmp_path: Path, scheme: str, width: int) -> None:
    """A screenshot of the file as written is light or dark as asked for, and not empty."""
    source = report_html(sample_report())

    chromium(
        tmp_path,
        framed(source, width=width, height=2600) if width < 500 else source,
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--window-size={width},2600",
        f"--screenshot={tmp_path / 'seen.png'}",
    )

    pixels = (tmp_path / "seen.png").read_bytes()
    assert first_pixel(pixels) == GROUND[scheme]
    assert len(pixels) > 50_000


def first_pixel(png: bytes) -> tuple[int, int, int]:
    """The corner of a PNG of 8 bits a channel: there every filter of the format leaves the bytes as they are."""
    assert png[24:26] in (b"\x08\x02", b"\x08\x06")
    packed, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += length + 12
    red, green, blue = zlib.decompress(packed)[1:4]
    return red, green, blue
