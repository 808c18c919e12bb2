"""What goes wrong in real life, on the local AWS: each a case that users of other systems have reported."""

import hashlib
import json
from typing import Any

import pytest

from core.record import State
from tests.e2e.bucket import ATTEMPT_COUNT, Bucket, notification

HOSTILE_KEYS = [
    "{}a+b %2B/..x",
    "{}/🦥 sloth.txt",
    "../../{}",
    "%41{}",
    "{}<b>&'\"",
    "{}\n\t",
    "{}ü%zz",
    "{}" + "k" * 1016,
]


def test_case_1_the_same_event_many_times(bucket: Bucket, mark: str) -> None:
    """An event that is delivered twenty times gives one record and one call of the user's function."""
    version = bucket.put(f"{mark}/a", b"once")
    bucket.wait_for(mark, count=1)
    found = {"key": f"{mark}/a", "size": 4, "versionId": version, "sequencer": "0A"}
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket.aws.bucket}, "object": found}}

    bucket.send(*[notification(record)] * 20)
    bucket.wait_until_idle()

    [recorded] = bucket.records(mark)
    assert recorded.state is State.RECORDED
    assert bucket.calls_of(recorded) == 1


@pytest.mark.parametrize("pattern", HOSTILE_KEYS)
def test_case_2_encoded_keys(bucket: Bucket, mark: str, pattern: str) -> None:
    """A hostile key is decoded once, and its object is found and recorded under its true name."""
    key = pattern.format(mark)
    content = key.encode()

    bucket.put(key, content)

    [record] = bucket.wait_for(mark, count=1)
    assert record.upload.key == key
    assert record.sha256 == hashlib.sha256(content).hexdigest()


def test_case_2_eventbridge_keys_are_not_encoded(bucket: Bucket, mark: str) -> None:
    """An EventBridge event names its key as it is; decoding it would miss the object."""
    key = f"{mark}/100%25 + 1"
    version = bucket.put(key, b"x")
    bucket.wait_for(mark, count=1)
    detail = {"bucket": {"name": bucket.aws.bucket}, "object": {"key": key, "size": 1, "version-id": version}}

    bucket.send(json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail}))
    bucket.wait_until_idle()

    [record] = bucket.records(mark)
    assert record.upload.key == key


def test_case_3_test_event_among_others(bucket: Bucket, mark: str) -> None:
    """The s3:TestEvent that S3 sends when a notification is set up is acknowledged, and disturbs nothing."""
    parked_before = bucket.aws.parked_queue.message_count
    bucket.send(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": bucket.aws.bucket}))

    bucket.put(f"{mark}/a", b"real")

    bucket.wait_for(mark, count=1)
    bucket.wait_until_idle()
    assert bucket.aws.parked_queue.message_count == parked_before


def test_case_4_one_poison_message_in_ten(bucket: Bucket, mark: str) -> None:
    """Nine are recorded; the tenth is parked after the set number of tries, with payload and reason, and redriven."""
    bucket.aws.mapping.stop()
    for number in range(9):
        bucket.put(f"good/{mark}/{number}", b"good")
    bucket.put(f"poison/{mark}/9", b"poison")
    bucket.aws.mapping.start()

    bucket.wait_for(f"good/{mark}", count=9)
    [poisoned] = bucket.wait_for(f"poison/{mark}", count=1, state=State.PARKED)
    bucket.wait_until_idle()
    assert bucket.calls_of(poisoned) == ATTEMPT_COUNT
    assert "this upload cannot be handled" in poisoned.reason
    [parked] = [p for p in bucket.operator("parked", "--json")["parked"] if f"poison/{mark}" in p["body"]]
    assert "ValueError: this upload cannot be handled" in parked["reason"]

    bucket.operator("redrive", parked["parked_id"])

    bucket.wait_until_idle()
    assert bucket.calls_of(poisoned) == 2 * ATTEMPT_COUNT, "a redrive gives the upload its tries anew"
    assert bucket.wait_for(f"poison/{mark}", count=1, state=State.PARKED)


def test_case_4_rejected_upload_is_parked_at_once(bucket: Bucket, mark: str) -> None:
    """An upload that the user's function rejects is not tried again."""
    bucket.put(f"rejected/{mark}", b"x")

    [record] = bucket.wait_for(mark, count=1, state=State.PARKED)

    assert bucket.calls_of(record) == 1
    assert record.reason == "nobody wants this upload"


def test_case_5_late_create_does_not_revive_a_deleted_object(bucket: Bucket, mark: str) -> None:
    """Create, overwrite and delete in any order end in the same state: deleted."""
    bucket.aws.mapping.stop()
    for order in ("abd", "adb", "bad", "bda", "dab", "dba"):
        key = f"{mark}/{order}"
        events = {
            "a": bucket.created(key, etag="a" * 32, size_bytes=1, sequencer="0055AED6DCD90281E5"),
            "b": bucket.created(key, etag="b" * 32, size_bytes=2, sequencer="0055AED6DCD90281E501"),
            "d": {
                "eventName": "ObjectRemoved:Delete",
                "s3": {
                    "bucket": {"name": bucket.aws.bucket},
                    "object": {"key": key, "sequencer": "0055AED6DCD90281E502"},
                },
            },
        }
        for name in order:
            bucket.send(notification(events[name]))
    bucket.aws.mapping.start()
    bucket.wait_until_idle()

    records = bucket.records(mark)
    current = bucket.operator("ledger", "--json", "--current")["records"]
    assert sum(record.state is State.DELETED for record in records) == 6
    assert not [record for record in current if mark in record["key"] and record["state"] == "recorded"]
    assert {record.state for record in records} == {State.DELETED, State.GONE}


@pytest.mark.parametrize("fault", ["crash-once", "hang-once"])
def test_case_6_crash_or_timeout_half_way(bucket: Bucket, mark: str, fault: str) -> None:
    """A worker that dies or hangs while it holds the claim is followed by another when its lease has ended."""
    content = b"survivor"

    bucket.put(f"{fault}/{mark}", content)

    [record] = bucket.wait_for(mark, count=1)
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    assert record.attempt == 2
    assert bucket.calls_of(record) == 2


def test_case_7_overwrite_gives_two_records(bucket: Bucket, mark: str) -> None:
    """The same key twice is two versions: two records, each with the sha256 of its own content."""
    contents = [b"first", b"second"]

    for content in contents:
        bucket.put(f"{mark}/a", content)

    records = bucket.wait_for(mark, count=2)
    assert {record.sha256 for record in records} == {hashlib.sha256(c).hexdigest() for c in contents}


def test_case_7_multipart_etag_is_no_md5(bucket: Bucket, mark: str) -> None:
    """A multipart upload is recorded with the sha256 of the whole, whatever its eTag looks like."""
    s3, key, part = bucket.aws.s3, f"{mark}/multipart", b"p" * (5 * 1024 * 1024)
    upload_id = s3.create_multipart_upload(Bucket=bucket.aws.bucket, Key=key)["UploadId"]
    where: dict[str, Any] = {"Bucket": bucket.aws.bucket, "Key": key, "UploadId": upload_id}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**where, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate((part, b"tail"), start=1)
    ]

    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})

    [record] = bucket.wait_for(mark, count=1)
    assert record.sha256 == hashlib.sha256(part + b"tail").hexdigest()
    assert record.size_bytes == len(part) + 4


def test_case_10_object_not_there_is_parked_and_repaired(bucket: Bucket, mark: str) -> None:
    """An event without its object is parked after a set number of tries; once the object is there, a redrive works."""
    content = b"late"
    etag = hashlib.md5(content).hexdigest()
    bucket.send(notification(bucket.created(f"{mark}/late", etag=etag, size_bytes=len(content))))
    [record] = bucket.wait_for(mark, count=1, state=State.PARKED)
    assert record.reason.startswith("missing")
    assert record.attempt == ATTEMPT_COUNT
    [parked] = [p for p in bucket.operator("parked", "--json")["parked"] if mark in p["body"]]

    bucket.put(f"{mark}/late", content)
    bucket.operator("redrive", parked["parked_id"])

    bucket.wait_for(
        mark, count=2
    )  # the redriven event, which knows the eTag, and the put's own, which knows the version
    bucket.wait_until_idle()
    assert {r.sha256 for r in bucket.records(mark)} == {hashlib.sha256(content).hexdigest()}


def test_case_14_our_own_write_starts_no_loop(bucket: Bucket, mark: str) -> None:
    """An object that says from which upload it was made is recorded, and the user's function is not called."""
    bucket.put(f"{mark}/thumbnail", b"made by us", Metadata={"sluice-derived-from": "the-upload"})

    [record] = bucket.wait_for(mark, count=1)

    assert record.derived_from == "the-upload"
    assert bucket.calls_of(record) == 0
