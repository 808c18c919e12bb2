"""What goes wrong in real life, on the local Google Cloud: the cases of AWS, as far as this cloud has them."""

import hashlib

import pytest

from core.record import State
from drills.waiting import wait_until
from tests.e2e.bucket import ATTEMPT_COUNT, WAIT_S
from tests.e2e.gcp_bucket import GcpBucket

HOSTILE_KEYS = [
    "{}a+b %2B/..x",
    "{}/🦥 sloth.txt",
    "../../{}",
    "%41{}",
    "{}<b>&'\"",
    "{}\t",
    "{}ü%zz",
    "{}" + "k" * 1016,
]


def test_case_1_the_same_event_many_times(gcp_bucket: GcpBucket, mark: str) -> None:
    """An event that is delivered twenty times gives one record and one call of the user's function."""
    generation = gcp_bucket.put(f"{mark}/a", b"once")
    gcp_bucket.wait_for(mark, count=1)

    for _ in range(20):
        gcp_bucket.notify("OBJECT_FINALIZE", f"{mark}/a", generation=generation, size_bytes=4)
    gcp_bucket.wait_until_idle()

    [recorded] = gcp_bucket.records(mark)
    assert recorded.state is State.RECORDED
    assert gcp_bucket.calls_of(recorded) == 1


@pytest.mark.parametrize("pattern", HOSTILE_KEYS)
def test_case_2_hostile_keys(gcp_bucket: GcpBucket, mark: str, pattern: str) -> None:
    """A key is never decoded, and its object is found and recorded under its true name."""
    key = pattern.format(mark)
    content = key.encode()

    gcp_bucket.put(key, content)

    [record] = gcp_bucket.wait_for(mark, count=1)
    assert record.upload.key == key
    assert record.sha256 == hashlib.sha256(content).hexdigest()


def test_case_3_metadata_change_among_others(gcp_bucket: GcpBucket, mark: str) -> None:
    """Events that are no uploads are acknowledged, and disturb nothing."""
    parked_before = gcp_bucket.gcp.message_count("parked")
    generation = gcp_bucket.put(f"{mark}/a", b"real")

    gcp_bucket.notify("OBJECT_METADATA_UPDATE", f"{mark}/a", generation=generation)

    gcp_bucket.wait_for(mark, count=1)
    gcp_bucket.wait_until_idle()
    assert gcp_bucket.gcp.message_count("parked") == parked_before


def test_case_4_one_poison_message_in_ten(gcp_bucket: GcpBucket, mark: str) -> None:
    """Nine are recorded; the tenth is parked after the set number of tries, with payload and reason, and redriven."""
    gcp_bucket.gcp.hold_back()
    for number in range(9):
        gcp_bucket.put(f"good/{mark}/{number}", b"good")
    gcp_bucket.put(f"poison/{mark}/9", b"poison")
    gcp_bucket.gcp.let_go()

    gcp_bucket.wait_for(f"good/{mark}", count=9)
    [poisoned] = gcp_bucket.wait_for(f"poison/{mark}", count=1, state=State.PARKED)
    gcp_bucket.wait_until_idle()
    assert gcp_bucket.calls_of(poisoned) == ATTEMPT_COUNT
    assert "this upload cannot be handled" in poisoned.reason
    [parked] = gcp_bucket.parked_of(f"poison/{mark}")
    assert "ValueError: this upload cannot be handled" in parked["reason"]

    gcp_bucket.operator("redrive", parked["parked_id"])

    wait_until(
        lambda: gcp_bucket.calls_of(poisoned) == 2 * ATTEMPT_COUNT, timeout_s=WAIT_S, what="a redrive gives new tries"
    )
    gcp_bucket.wait_until_idle()
    assert gcp_bucket.wait_for(f"poison/{mark}", count=1, state=State.PARKED)


def test_case_4_rejected_upload_is_parked_at_once(gcp_bucket: GcpBucket, mark: str) -> None:
    """An upload that the user's function rejects is not tried again."""
    gcp_bucket.put(f"rejected/{mark}", b"x")

    [record] = gcp_bucket.wait_for(mark, count=1, state=State.PARKED)

    assert gcp_bucket.calls_of(record) == 1
    assert record.reason == "nobody wants this upload"


def test_case_4_message_that_means_nothing_is_parked(gcp_bucket: GcpBucket, mark: str) -> None:
    """A message that nobody can read is kept whole, with the reason."""
    gcp_bucket.gcp.send(f"not JSON {mark}")

    wait_until(lambda: gcp_bucket.parked_of(mark), timeout_s=WAIT_S, what="parked", interval_s=0.2)
    [parked] = gcp_bucket.parked_of(mark)
    assert (parked["body"], parked["reason"]) == (f"not JSON {mark}", "the message is no JSON")


def test_case_5_late_create_does_not_revive_a_deleted_object(gcp_bucket: GcpBucket, mark: str) -> None:
    """Create, overwrite and delete in any order end in the same state: deleted."""
    gcp_bucket.gcp.hold_back()
    for order in ("abd", "adb", "bad", "bda", "dab", "dba"):
        key = f"{mark}/{order}"
        events = {"a": ("OBJECT_FINALIZE", "101"), "b": ("OBJECT_FINALIZE", "102"), "d": ("OBJECT_ARCHIVE", "102")}
        for name in order:
            kind, generation = events[name]
            gcp_bucket.notify(kind, key, generation=generation)
    gcp_bucket.gcp.let_go()
    gcp_bucket.wait_until_idle()

    records = gcp_bucket.records(mark)
    current = gcp_bucket.operator("ledger", "--json", "--current")["records"]
    assert sum(record.state is State.DELETED for record in records) == 6
    assert not [record for record in current if mark in record["key"] and record["state"] == "recorded"]
    assert {record.state for record in records} == {State.DELETED, State.GONE}


@pytest.mark.parametrize("fault", ["crash-once", "hang-once"])
def test_case_6_crash_or_timeout_half_way(gcp_bucket: GcpBucket, mark: str, fault: str) -> None:
    """A worker that dies or hangs while it holds the claim is followed by another when its lease has ended."""
    content = b"survivor"

    gcp_bucket.put(f"{fault}/{mark}", content)

    [record] = gcp_bucket.wait_for(mark, count=1)
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    assert record.attempt == 2
    assert gcp_bucket.calls_of(record) == 2


def test_case_6_function_is_killed(gcp_bucket: GcpBucket, mark: str) -> None:
    """With the whole function gone, messages wait; when it is back, they are worked off."""
    gcp_bucket.gcp.function.kill()
    try:
        gcp_bucket.put(f"{mark}/a", b"x")
    finally:
        gcp_bucket.gcp.start_function()

    assert gcp_bucket.wait_for(mark, count=1)


def test_case_6_stand_ins_are_killed(gcp_bucket: GcpBucket, mark: str) -> None:
    """A kill of the queue and the ledger loses neither a message nor a record."""
    gcp_bucket.gcp.hold_back()
    gcp_bucket.put(f"{mark}/a", b"x")
    wait_until(lambda: gcp_bucket.gcp.message_count("work") == 1, timeout_s=WAIT_S, what="the message")
    for server in (gcp_bucket.gcp.pubsub, gcp_bucket.gcp.firestore):
        server.process.kill()
        server.start()
    gcp_bucket.gcp.let_go()

    assert gcp_bucket.wait_for(mark, count=1)


def test_case_7_overwrite_gives_two_records(gcp_bucket: GcpBucket, mark: str) -> None:
    """The same key twice is two versions: two records, each with the sha256 of its own content."""
    contents = [b"first", b"second"]

    for content in contents:
        gcp_bucket.put(f"{mark}/a", content)

    records = gcp_bucket.wait_for(mark, count=2)
    assert {record.sha256 for record in records} == {hashlib.sha256(c).hexdigest() for c in contents}


def test_case_10_object_not_there_is_parked_and_repaired(gcp_bucket: GcpBucket, mark: str) -> None:
    """An event without its object is parked after a set number of tries; the object's own event records it."""
    content = b"late"
    gcp_bucket.notify("OBJECT_FINALIZE", f"{mark}/late", generation="1", size_bytes=len(content))
    [record] = gcp_bucket.wait_for(mark, count=1, state=State.PARKED)
    assert record.reason.startswith("missing")
    assert record.attempt == ATTEMPT_COUNT

    gcp_bucket.put(f"{mark}/late", content)

    gcp_bucket.wait_for(mark, count=1)
    [parked] = gcp_bucket.parked_of(mark)
    gcp_bucket.operator("redrive", parked["parked_id"])
    gcp_bucket.wait_until_idle()
    assert {r.state for r in gcp_bucket.records(mark)} == {State.RECORDED, State.GONE}


def test_case_14_our_own_write_starts_no_loop(gcp_bucket: GcpBucket, mark: str) -> None:
    """An object that says from which upload it was made is recorded, and the user's function is not called."""
    gcp_bucket.put(f"{mark}/thumbnail", b"made by us", metadata={"sluice-derived-from": "the-upload"})

    [record] = gcp_bucket.wait_for(mark, count=1)

    assert record.derived_from == "the-upload"
    assert gcp_bucket.calls_of(record) == 0
