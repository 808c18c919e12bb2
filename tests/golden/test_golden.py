"""Rows and messages as earlier versions wrote them are still read, and this version writes them the same.

A change of format is a new file here and a higher wire number; the old files stay, and must still be read.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from core.parking import list_parked, park
from core.ports import Message
from core.record import Record, Sighting, State, from_fields, to_fields
from core.upload import Upload
from core.work_item import from_payload, to_text
from providers.memory.work_queue import MemoryWorkQueue

FOLDER = Path(__file__).parent

UPLOAD = Upload(
    upload_id="f89a30ba-dc2d-5ce4-8c12-78b454b10259",
    cloud="aws",
    bucket="b",
    key="🦥 +%2B",
    version="etag:0",
    size_bytes=3,
    sequencer="0A",
)
RECORDS = {
    "pending": Record(upload=UPLOAD, state=State.PENDING, attempt=1, owner="a", reason="busy"),
    "claimed": Record(upload=UPLOAD, state=State.CLAIMED, attempt=1, owner="a", lease_until_at_ms=1_795_000_000_000),
    "parked": Record(upload=UPLOAD, state=State.PARKED, attempt=5, owner="a", reason="handle_upload raised ValueError"),
    "gone": Record(upload=UPLOAD, state=State.GONE, attempt=1, owner="a", reason="deleted before it was fetched"),
    "recorded": Record(
        upload=UPLOAD,
        state=State.RECORDED,
        attempt=1,
        owner="a",
        size_bytes=3,
        sha256="ab" * 32,
        content_type="text/plain",
        facts={"rows": 2, "title": "ü"},
        recorded_at_ms=1_795_000_000_001,
        recorded_by="aws",
        derived_from="x",
        conflicts=(Sighting(recorded_at_ms=1_795_000_000_002, recorded_by="gcp", sha256="cd" * 32, size_bytes=4),),
    ),
    "deleted": Record(upload=UPLOAD, state=State.DELETED, recorded_at_ms=1, recorded_by="aws"),
    "removed": Record(upload=UPLOAD, state=State.REMOVED, recorded_at_ms=1, recorded_by="aws"),
}


def golden(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


@pytest.mark.parametrize("state", RECORDS)
def test_ledger_row(state: str) -> None:
    """A row of format 1 is read as it was meant, and written the same."""
    fields = golden("ledger-rows-1.json")[state]

    assert from_fields(fields) == RECORDS[state]
    assert to_fields(RECORDS[state]) == fields


def test_work_item() -> None:
    """A work item of format 1 is read as it was meant, and written the same."""
    body = (FOLDER / "work-item-1.json").read_text().strip()

    assert from_payload(json.loads(body)) == UPLOAD
    assert to_text(UPLOAD) == body


def test_parked_envelope() -> None:
    """An envelope of format 1 is read as it was meant, and written the same."""
    body = (FOLDER / "parked-1.json").read_text().strip()
    queue = MemoryWorkQueue(clock_ms=lambda: 0)
    queue.send([body])
    park(queue, Message(message_id="m", body="the body ü", receipt="r", receive_count=5), reason="why", at_ms=7)

    old, new = queue.receive(limit=2, wait_s=0, visibility_timeout_s=0)

    assert old.body == new.body
    assert {(p.reason, p.body, p.parked_at_ms, p.receive_count) for p in list_parked(queue, limit=2)} == {
        ("why", "the body ü", 7, 5)
    }
