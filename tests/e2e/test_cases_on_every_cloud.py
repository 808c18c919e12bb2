"""What goes wrong in real life, on every local cloud: the cases that need nothing of one cloud in particular."""

import hashlib
from typing import Any

import pytest

from core.record import State
from drills.waiting import wait_until
from tests.e2e.azure_container import Container
from tests.e2e.bucket import WAIT_S, Bucket
from tests.e2e.gcp_bucket import GcpBucket

MIB = 1024 * 1024
BIG_BYTES, GROWTH_MAX_BYTES = 64 * MIB, 16 * MIB
LATE_S = 2

AnyBucket = Bucket | GcpBucket | Container


@pytest.fixture(params=["aws", "azure", "gcp"])
def anywhere(request: pytest.FixtureRequest) -> AnyBucket:
    """Each local cloud in turn; only the ones that are asked for are started."""
    found: AnyBucket = request.getfixturevalue(
        {"aws": "bucket", "azure": "container", "gcp": "gcp_bucket"}[request.param]
    )
    return found


def current(anywhere: AnyBucket, mark: str) -> list[dict[str, Any]]:
    """What `sls ledger --current` shows of a mark."""
    records = anywhere.operator("ledger", "--json", "--current")["records"]
    return [record for record in records if mark in record["key"]]


def test_case_8_empty_placeholder_first(anywhere: AnyBucket, mark: str) -> None:
    """A client that creates a file empty, then writes it whole (gcsfuse, SFTP): the complete content is what counts."""
    content = b"whole"
    anywhere.put(f"{mark}/file", b"")

    anywhere.put(f"{mark}/file", content)

    sha256 = hashlib.sha256(content).hexdigest()
    wait_until(
        lambda: [record for record in anywhere.records(mark) if record.sha256 == sha256],
        timeout_s=WAIT_S,
        what="a record of the complete content",
        interval_s=0.1,
    )
    anywhere.wait_until_idle()
    [shown] = current(anywhere, mark)
    assert (shown["state"], shown["sha256"], shown["size_bytes"]) == ("recorded", sha256, len(content))
    assert len([record for record in anywhere.records(mark) if record.sha256 == sha256]) == 1


def test_case_8_empty_file_is_recorded(anywhere: AnyBucket, mark: str) -> None:
    """A file that is empty and stays so is an upload like any other."""
    anywhere.put(f"{mark}/empty", b"")

    [record] = anywhere.wait_for(mark, count=1)

    assert (record.size_bytes, record.sha256) == (0, hashlib.sha256(b"").hexdigest())


def test_case_9_big_file(anywhere: AnyBucket, mark: str) -> None:
    """A 64 MiB object costs the worker at most 16 MiB, and leaves nothing in its temporary folder."""
    anywhere.put(f"{mark}/small", b"x")
    anywhere.wait_for(mark, count=1)
    before_bytes = anywhere.peak_rss_bytes()
    content = bytes(range(256)) * (BIG_BYTES // 256)

    anywhere.put(f"{mark}/big", content)

    big = next(record for record in anywhere.wait_for(mark, count=2) if record.upload.key.endswith("big"))
    assert (big.size_bytes, big.sha256) == (BIG_BYTES, hashlib.sha256(content).hexdigest())
    growth_bytes = anywhere.peak_rss_bytes() - before_bytes
    print(f"the worker's peak memory grew by {growth_bytes / MIB:.1f} MiB")
    assert growth_bytes <= GROWTH_MAX_BYTES
    assert list(anywhere.temporary_folder.iterdir()) == []


def test_case_13_event_never_came(anywhere: AnyBucket, mark: str) -> None:
    """A sweep finds what no event told of, reports how late it is, and it is recorded once, also if the event comes."""
    content = b"nobody told of me"
    anywhere.operator("sweep", "--min-age-s=0", "--json")
    anywhere.wait_until_idle()
    anywhere.put_unseen(f"{mark}/lost", content)
    anywhere.wait_until_idle()
    assert anywhere.records(mark) == []

    def swept() -> dict[str, int]:
        report: dict[str, int] = anywhere.operator("sweep", f"--min-age-s={LATE_S}", "--json")
        return report if report["sent_count"] else {}

    report = wait_until(swept, timeout_s=WAIT_S, what="an upload old enough to be missed")

    [record] = anywhere.wait_for(mark, count=1)
    assert report["sent_count"] == 1
    assert report["listed_count"] == report["known_count"] + 1
    assert LATE_S <= report["oldest_delay_s"] < WAIT_S
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    anywhere.wait_until_idle()
    assert anywhere.operator("sweep", "--min-age-s=0", "--json")["sent_count"] == 0

    anywhere.send_event_of(record)
    anywhere.wait_until_idle()

    [still] = anywhere.records(mark)
    assert (still.state, still.recorded_at_ms, anywhere.calls_of(still)) == (State.RECORDED, record.recorded_at_ms, 1)
    assert still.upload.sequencer, "the event that came late gives the upload its place in the key's history"
