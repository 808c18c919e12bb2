"""The main job, proven: real files through the bucket, the queue and the unchanged function, into the ledger.

Every file must end as exactly one record with the right size, sha256 and content type; nothing may be parked or left in
the queue. The ledger is read with the vendor's clients, without the product's code, so a defect there cannot hide
itself.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from drills.sample_files import SampleFile
from drills.text_table import format_table, shorten
from drills.waiting import wait_until

RECORD_TIMEOUT_S = 60.0
_KEY_WIDTH = 36

Row = Mapping[str, Any]


class DrilledCloud(Protocol):
    """A running local cloud, looked at with its vendor's own clients and without the product's code."""

    @property
    def name(self) -> str: ...

    def put(self, key: str, body: bytes) -> None:
        """Store an object, a large one in parts."""

    def scan(self) -> Sequence[Row]:
        """Read the whole ledger."""

    @property
    def waiting_count(self) -> int:
        """Messages in the work queue, in whatever state."""

    @property
    def parked_count(self) -> int: ...

    @property
    def failed_call_count(self) -> int:
        """Calls of the function that ended without an answer or with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A file that the bucket has accepted, and when it was sent; for a large file that was before its first part."""

    file: SampleFile
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the ledger says of one file.

    Attributes:
        rows: All rows with the file's key; exactly one is right.
        faults: What is wrong, in words; empty if nothing.
    """

    put: Put
    rows: Sequence[Row]
    faults: Sequence[str]


def put_files(cloud: DrilledCloud, files: Sequence[SampleFile]) -> list[Put]:
    """Upload the files one after another."""
    puts = []
    for file in files:
        at_ms = time.time_ns() // 1_000_000
        cloud.put(file.key, file.body)
        puts.append(Put(file=file, at_ms=at_ms))
    return puts


def await_records(cloud: DrilledCloud, puts: Sequence[Put]) -> Sequence[Row]:
    """Wait until each file is recorded or parked and the work queue is empty; return all rows.

    When that does not happen in time, return what there is: the findings tell the rest.
    """

    def is_finished() -> bool:
        recorded_count = sum(row.get("state") == "recorded" for row in cloud.scan())
        ended_count = recorded_count + cloud.parked_count
        return ended_count >= len(puts) and cloud.waiting_count == 0

    try:
        wait_until(is_finished, timeout_s=RECORD_TIMEOUT_S, what="all recorded", interval_s=0.1)
    except TimeoutError as error:
        print(error)
    return cloud.scan()


def examine(puts: Sequence[Put], rows: Sequence[Row]) -> list[Finding]:
    """Compare each file with its rows."""
    findings = []
    for put in puts:
        own_rows = [row for row in rows if row.get("key") == put.file.key]
        findings.append(Finding(put=put, rows=own_rows, faults=_faults(put.file, own_rows)))
    return findings


def _faults(file: SampleFile, rows: Sequence[Row]) -> list[str]:
    if len(rows) != 1:
        return [f"{len(rows)} rows"]
    expected = {
        "state": "recorded",
        "size_bytes": len(file.body),
        "sha256": hashlib.sha256(file.body).hexdigest(),
        "content_type": file.content_type,
    }
    return [
        f"{name} is {rows[0].get(name)}, not {value}" for name, value in expected.items() if rows[0].get(name) != value
    ]


def overall_faults(cloud: DrilledCloud, findings: Sequence[Finding], rows: Sequence[Row]) -> list[str]:
    """Say what is wrong beyond the single files; empty if nothing."""
    upload_ids = {row["upload_id"] for finding in findings for row in finding.rows}
    counts = {
        "files with a fault": sum(bool(finding.faults) for finding in findings),
        "rows that belong to no file": len(rows) - sum(len(finding.rows) for finding in findings),
        "files without an upload id of their own": len(findings) - len(upload_ids),
        "messages parked": cloud.parked_count,
        "messages left in the work queue": cloud.waiting_count,
        "failed calls of the function": cloud.failed_call_count,
    }
    return [f"{what}: {count}" for what, count in counts.items() if count]


def format_findings(findings: Sequence[Finding]) -> str:
    """Return the table, and below it each fault in words."""
    heading = ("file", "bytes", "state", "content type", "sha256", "put to record")
    table = format_table([heading, *map(_cells, findings)], right_aligned=frozenset({1, 5}))
    faults = [
        f"✗ {shorten(finding.put.file.key, width=_KEY_WIDTH)}: {fault}"
        for finding in findings
        for fault in finding.faults
    ]
    return "\n".join([table, *faults])


def _cells(finding: Finding) -> tuple[str, ...]:
    file = finding.put.file
    row = finding.rows[0] if finding.rows else {}
    is_same = row.get("sha256") == hashlib.sha256(file.body).hexdigest()
    took = f"{int(row['recorded_at_ms']) - finding.put.at_ms} ms" if "recorded_at_ms" in row else "-"
    return (
        shorten(file.key, width=_KEY_WIDTH),
        f"{len(file.body):,}",
        str(row.get("state", "-")),
        str(row.get("content_type", "-")),
        "✓" if is_same else "✗",
        took,
    )
