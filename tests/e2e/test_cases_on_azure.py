"""What goes wrong in real life, on the local Azure: each a case that users of other systems have reported."""

import base64
import hashlib
import json
import uuid
from collections.abc import Callable

import pytest

from core.record import Record, State
from core.upload import Upload
from drills.azure.cloud import BUCKET
from drills.waiting import wait_until
from tests.e2e.azure_container import Container, cloud_event, event
from tests.e2e.bucket import ATTEMPT_COUNT, WAIT_S

HOSTILE_KEYS = ["{}a+b %2B/..x", "{}/🦥 sloth.txt", "../../{}", "%41{}", "{}<b>&'\"", "{}ü%zz", "{}" + "k" * 1016]


def test_case_1_the_same_event_many_times(container: Container, mark: str) -> None:
    """An event that is delivered twenty times gives one record and one call of the user's function."""
    container.azure.put(f"{mark}/a", b"once")
    [record] = container.wait_for(mark, count=1)

    for _ in range(20):
        container.azure.send(event(record))
    container.wait_until_idle()

    [recorded] = container.records(mark)
    assert container.calls_of(recorded) == 1


@pytest.mark.parametrize("pattern", HOSTILE_KEYS)
def test_case_2_encoded_keys(container: Container, mark: str, pattern: str) -> None:
    """A hostile key is found and recorded under its true name."""
    key = pattern.format(mark)

    container.azure.put(key, key.encode())

    [record] = container.wait_for(mark, count=1)
    assert (record.upload.key, record.sha256) == (key, hashlib.sha256(key.encode()).hexdigest())


@pytest.mark.parametrize(
    "kind",
    [
        "BlobTierChanged",
        "BlobRenamed",
        "DirectoryCreated",
        "DirectoryRenamed",
        "DirectoryDeleted",
        "AsyncOperationInitiated",
    ],
)
@pytest.mark.parametrize("schema", [event, cloud_event])
def test_case_3_other_event_among_uploads(
    container: Container, mark: str, kind: str, schema: Callable[..., str]
) -> None:
    """An event that is neither an upload nor a deletion is ignored, in both schemas, and disturbs nothing."""
    parked_before = container.azure.parked_count
    container.azure.put(f"{mark}/a", b"real")
    [record] = container.wait_for(mark, count=1)

    container.azure.send(schema(record, kind, eTag="0x8D1"))
    container.wait_until_idle()

    assert container.records(mark) == [record]
    assert container.azure.parked_count == parked_before


def test_case_4_one_poison_message_in_ten(container: Container, mark: str) -> None:
    """Nine are recorded; the tenth is parked after its tries, with payload and reason, and redriven."""
    for number in range(9):
        container.azure.put(f"good/{mark}/{number}", b"good")
    container.azure.put(f"poison/{mark}/9", b"poison")

    container.wait_for(f"good/{mark}", count=9)
    [poisoned] = container.wait_for(f"poison/{mark}", count=1, state=State.PARKED)
    container.wait_until_idle()
    assert container.calls_of(poisoned) == ATTEMPT_COUNT
    [parked] = [p for p in container.operator("parked", "--json")["parked"] if f"poison/{mark}" in p["body"]]
    assert "ValueError: this upload cannot be handled" in parked["reason"]

    container.operator("redrive", parked["parked_id"])

    wait_until(
        lambda: container.calls_of(poisoned) == 2 * ATTEMPT_COUNT,
        timeout_s=WAIT_S,
        what="its tries anew",
        interval_s=0.1,
    )


def test_case_5_late_create_does_not_revive_a_deleted_object(container: Container, mark: str) -> None:
    """A create that comes after the deletion of its key ends as gone, and nothing is current."""
    container.azure.put(f"{mark}/a", b"x")
    [record] = container.wait_for(mark, count=1)
    container.azure.send(event(record, "BlobDeleted", sequencer="F" * 48))
    container.azure.blobs.get_blob_client(BUCKET, record.upload.key).delete_blob()
    container.wait_until_idle()

    container.azure.send(event(record, eTag="0x8D1"))
    container.wait_until_idle()

    assert {r.state for r in container.records(mark)} == {State.RECORDED, State.GONE, State.DELETED}
    current = container.operator("ledger", "--json", "--current")["records"]
    assert not [r for r in current if mark in r["key"] and r["state"] == "recorded"]


@pytest.mark.parametrize("fault", ["crash-once", "hang-once"])
def test_case_6_crash_or_timeout_half_way(container: Container, mark: str, fault: str) -> None:
    """A worker that dies or hangs while it holds the claim is followed by another when its lease has ended."""
    container.azure.put(f"{fault}/{mark}", b"survivor")

    [record] = container.wait_for(mark, count=1)

    assert (record.sha256, record.attempt) == (hashlib.sha256(b"survivor").hexdigest(), 2)


def test_case_7_overwrite_gives_two_records(container: Container, mark: str) -> None:
    """The same key twice is two versions: two records, each with the sha256 of its own content."""
    for count, content in enumerate((b"first", b"second"), start=1):
        container.azure.put(f"{mark}/a", content)
        records = container.wait_for(mark, count=count)

    assert {record.sha256 for record in records} == {hashlib.sha256(c).hexdigest() for c in (b"first", b"second")}


def test_case_8_placeholder_is_not_recorded(container: Container, mark: str) -> None:
    """The empty file that comes before the complete one gives no record; the complete one gives one."""
    container.azure.put(f"{mark}/a", b"whole")
    [record] = container.wait_for(mark, count=1)

    container.azure.send(event(record, api="CreateFile", contentLength=0, eTag="0x8D1"))
    container.azure.send(event(record, api="FlushWithClose"))
    container.wait_until_idle()

    assert len(container.records(mark)) == 1


def test_case_10_object_not_there_is_parked_and_repaired(container: Container, mark: str) -> None:
    """An event without its blob is parked after a set number of tries; the blob's own event records it."""
    late = Upload(
        upload_id="", cloud="azure", bucket=BUCKET, key=f"{mark}/late", version="0x8D1", size_bytes=4, sequencer="1"
    )
    container.azure.send(event(Record(upload=late, state=State.PENDING)))
    [record] = container.wait_for(mark, count=1, state=State.PARKED)
    assert record.reason.startswith("missing")
    assert record.attempt == ATTEMPT_COUNT

    container.azure.put(late.key, b"late")

    container.wait_for(mark, count=1)
    [parked] = [p for p in container.operator("parked", "--json")["parked"] if mark in p["body"]]
    assert parked["reason"].startswith("missing")
    assert {r.state for r in container.records(mark)} == {State.RECORDED, State.PARKED}


@pytest.mark.parametrize("is_list", [True, False], ids=["list", "single"])
@pytest.mark.parametrize("is_cloud_event", [True, False], ids=["CloudEvents", "Event Grid"])
def test_case_11_handshake_is_no_upload(container: Container, is_list: bool, is_cloud_event: bool) -> None:
    """A subscription's validation that lands in the queue, which needs none, is ignored in both schemas."""
    parked_before, rows_before = container.azure.parked_count, len(container.azure.scan())
    kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
    found = {"specversion": "1.0", "type": kind} if is_cloud_event else {"eventType": kind}
    found |= {"id": str(uuid.uuid4()), "data": {"validationCode": str(uuid.uuid4())}}

    container.azure.send(json.dumps([found] if is_list else found))
    container.wait_until_idle()

    assert container.azure.parked_count == parked_before
    assert len(container.azure.scan()) == rows_before


def test_case_12_base64_or_not(container: Container, mark: str) -> None:
    """Plain and base64 messages are both read; what is neither is parked, with the cause."""
    container.azure.put(f"{mark}/a", b"x")
    [record] = container.wait_for(mark, count=1)

    for number, encode in enumerate((str, lambda text: base64.b64encode(text.encode()).decode())):
        container.azure.send_plain(encode(event(record, eTag=f"0x8D{number}")))
    container.azure.send_plain(f"{mark} is neither")
    container.wait_until_idle()

    assert len(container.wait_for(mark, count=2, state=State.GONE)) == 3
    [parked] = [
        p for p in container.operator("parked", "--json")["parked"] if mark in p["body"] and "neither" in p["body"]
    ]
    assert "neither plain nor in base64" in parked["reason"]


def test_case_14_our_own_write_starts_no_loop(container: Container, mark: str) -> None:
    """A blob that says from which upload it was made is recorded, and the user's function is not called."""
    container.azure.put(f"{mark}/thumbnail", b"made by us", metadata={"sluicederivedfrom": "the-upload"})

    [record] = container.wait_for(mark, count=1)

    assert (record.derived_from, container.calls_of(record)) == ("the-upload", 0)


def test_outage_of_the_storage_loses_nothing(container: Container, mark: str) -> None:
    """Storage that restarts in the middle of the work costs time only."""
    for number in range(4):
        container.azure.put(f"{mark}/{number}", b"x")

    container.azure.restart()

    container.wait_for(mark, count=4)
