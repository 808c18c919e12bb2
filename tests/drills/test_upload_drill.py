"""The upload drill sees what is wrong with a ledger, and its table stays aligned whatever the keys are."""

import hashlib
from typing import Any

import pytest

from drills.sample_files import LONGEST_KEY_BYTES, SampleFile, make_sample_files
from drills.text_table import display_width, format_table, shorten
from drills.upload_drill import Put, examine, format_findings

FILE = SampleFile(key="a.txt", body=b"abc", content_type="text/plain")
RIGHT_ROW: dict[str, Any] = {
    "upload_id": "1",
    "key": "a.txt",
    "state": "recorded",
    "size_bytes": 3,
    "sha256": hashlib.sha256(b"abc").hexdigest(),
    "content_type": "text/plain",
    "recorded_at_ms": 1_050,
}


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ([RIGHT_ROW], []),
        ([RIGHT_ROW, {**RIGHT_ROW, "key": "another"}], []),
        ([], ["0 rows"]),
        ([RIGHT_ROW, {**RIGHT_ROW, "upload_id": "2"}], ["2 rows"]),
        ([{**RIGHT_ROW, "state": "claimed"}], ["state is claimed, not recorded"]),
        ([{**RIGHT_ROW, "size_bytes": 2}], ["size_bytes is 2, not 3"]),
        ([{**RIGHT_ROW, "content_type": "image/png"}], ["content_type is image/png, not text/plain"]),
        ([{**RIGHT_ROW, "sha256": "00"}], [f"sha256 is 00, not {RIGHT_ROW['sha256']}"]),
    ],
)
def test_faults_are_seen(rows: list[dict[str, Any]], faults: list[str]) -> None:
    """A file is right only with exactly one row that is recorded and true."""
    [finding] = examine([Put(file=FILE, at_ms=1_000)], rows)

    assert finding.faults == faults


def test_findings_as_text() -> None:
    """The table tells state, check and duration; faults follow in words."""
    puts = [Put(file=FILE, at_ms=1_000), Put(file=SampleFile(key="b", body=b"", content_type="x/y"), at_ms=1_000)]

    text = format_findings(examine(puts, [RIGHT_ROW]))

    assert text.splitlines() == [
        "file   bytes  state     content type  sha256  put to record",
        "a.txt      3  recorded  text/plain    ✓               50 ms",
        "b          0  -         -             ✗                   -",
        "✗ b: 0 rows",
    ]


def test_columns_align_with_wide_and_zero_width_characters() -> None:
    """Emoji and Chinese take two columns, combining marks none."""
    lines = format_table([("e\N{COMBINING ACUTE ACCENT}", "1"), ("日本", "2"), ("\N{SLOTH}", "3")]).splitlines()

    assert [display_width(line) for line in lines] == [7, 7, 7]


@pytest.mark.parametrize(
    ("text", "shortened"),
    [("short", "short"), ("a\n\x1b[31m", "a\\n\\x1b[31m"), ("x" * 20, "x" * 11 + "…"), ("日" * 20, "日" * 5 + "…")],
)
def test_shorten(text: str, shortened: str) -> None:
    """A hostile key cannot break the line, send an escape sequence, or push the columns away."""
    assert shorten(text, width=12) == shortened


def test_sample_files_are_always_the_same() -> None:
    """Runs compare: the same files each time, with keys that S3 allows and that are all different."""
    first, second = make_sample_files(), make_sample_files()

    assert first == second
    assert len({file.key for file in first}) == len(first)
    assert max(len(file.key.encode()) for file in first) == LONGEST_KEY_BYTES
