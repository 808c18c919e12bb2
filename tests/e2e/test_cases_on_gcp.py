"""What goes wrong in real life, on the local Google Cloud: the cases of AWS, as far as this cloud has them."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.record import Record, State, from_fields
from drills.gcp.cloud import COLLECTION, PROJECT, FunctionSettings, LocalGcp
from drills.gcp.google import storage_client
from drills.waiting import wait_until
from providers.gcp.clients import emulated
from providers.gcp.ledger import FirestoreLedger

ROOT = Path(__file__).parents[2]
ATTEMPT_COUNT = 3
WAIT_S = 40

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The bucket, and what stands behind it."""

    gcp: LocalGcp
    client: Any
    faults_folder: Path

    def put(self, key: str, content: bytes, *, metadata: dict[str, str] | None = None) -> str:
        """Put an object; returns its generation."""
        blob = self.client.bucket(self.gcp.bucket).blob(key)
        blob.metadata = metadata
        blob.upload_from_string(content)
        return str(blob.generation)

    def notify(self, kind: str, key: str, *, generation: str, size_bytes: int = 0) -> None:
        """Send a notification, as Cloud Storage would."""
        attributes = {"eventType": kind, "bucketId": self.gcp.bucket, "objectId": key, "objectGeneration": generation}
        self.gcp.send(json.dumps({"size": str(size_bytes)}), attributes=attributes | {"payloadFormat": "JSON_API_V1"})

    def records(self, mark: str) -> list[Record]:
        """The records of the keys that contain this mark."""
        database = f"projects/{PROJECT}/databases/(default)"
        api = emulated(self.gcp.firestore.http_address)
        rows = FirestoreLedger(database=database, collection=COLLECTION, api=api).page(limit=1000).rows
        return [record for record in (from_fields(row.fields) for row in rows) if mark in record.upload.key]

    def wait_for(self, mark: str, *, count: int, state: State = State.RECORDED) -> list[Record]:
        """Wait until so many records of the mark are in this state; gives all records of the mark."""
        wait_until(
            lambda: sum(record.state is state for record in self.records(mark)) >= count,
            timeout_s=WAIT_S,
            what=f"{count} {state} with {mark} in the key",
        )
        return self.records(mark)

    def wait_until_idle(self) -> None:
        """Wait until no message waits or is being worked on."""
        wait_until(lambda: self.gcp.message_count("work") == 0, timeout_s=WAIT_S, what="an empty work queue")

    def calls_of(self, record: Record) -> int:
        """How often the user's function was called for this upload."""
        calls = self.faults_folder / "calls"
        return calls.read_text().split().count(record.upload.upload_id) if calls.exists() else 0

    def operator(self, *arguments: str) -> Any:
        """Run an operator's command; gives its JSON, or None."""
        command = [sys.executable, "-m", "handlers.cli", *arguments[:1], "--cloud", "gcp", *arguments[1:]]
        environment = {"PATH": os.defpath, **self.gcp.environment}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    def parked_of(self, mark: str) -> list[dict[str, Any]]:
        """The parked messages of a mark, whose bodies are notifications with the key in base64 or plain."""
        return [parked for parked in self.operator("parked", "--json")["parked"] if mark in parked["body"]]


@pytest.fixture(scope="module")
def local_gcp(tmp_path_factory: pytest.TempPathFactory, task_root: Path, faults_folder: Path) -> Iterator[LocalGcp]:
    """A running local Google Cloud whose function has 6 s and whose messages come back after 10 s, or after 1 to 4."""
    short = {
        "SLUICE_ATTEMPT_COUNT": str(ATTEMPT_COUNT),
        "SLUICE_LEASE_MARGIN_S": "1",
        "FAULTS_FOLDER": str(faults_folder),
        "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
    }
    settings = FunctionSettings(
        timeout_s=6, ack_deadline_s=10, shortest_backoff_s=0.5, longest_backoff_s=2, environment=short
    )
    with LocalGcp(settings, folder=tmp_path_factory.mktemp("gcp"), task_root=task_root) as running:
        yield running


@pytest.fixture
def bucket(local_gcp: LocalGcp, faults_folder: Path) -> Iterator[Bucket]:
    """The local Google Cloud. Tests share it, so each uses keys of its own."""
    client = storage_client(local_gcp.storage.url, project=PROJECT)
    yield Bucket(gcp=local_gcp, client=client, faults_folder=faults_folder)
    client.close()


def test_case_1_the_same_event_many_times(bucket: Bucket, mark: str) -> None:
    """An event that is delivered twenty times gives one record and one call of the user's function."""
    generation = bucket.put(f"{mark}/a", b"once")
    bucket.wait_for(mark, count=1)

    for _ in range(20):
        bucket.notify("OBJECT_FINALIZE", f"{mark}/a", generation=generation, size_bytes=4)
    bucket.wait_until_idle()

    [recorded] = bucket.records(mark)
    assert recorded.state is State.RECORDED
    assert bucket.calls_of(recorded) == 1


@pytest.mark.parametrize("pattern", HOSTILE_KEYS)
def test_case_2_hostile_keys(bucket: Bucket, mark: str, pattern: str) -> None:
    """A key is never decoded, and its object is found and recorded under its true name."""
    key = pattern.format(mark)
    content = key.encode()

    bucket.put(key, content)

    [record] = bucket.wait_for(mark, count=1)
    assert record.upload.key == key
    assert record.sha256 == hashlib.sha256(content).hexdigest()


def test_case_3_metadata_change_among_others(bucket: Bucket, mark: str) -> None:
    """Events that are no uploads are acknowledged, and disturb nothing."""
    parked_before = bucket.gcp.message_count("parked")
    generation = bucket.put(f"{mark}/a", b"real")

    bucket.notify("OBJECT_METADATA_UPDATE", f"{mark}/a", generation=generation)

    bucket.wait_for(mark, count=1)
    bucket.wait_until_idle()
    assert bucket.gcp.message_count("parked") == parked_before


def test_case_4_one_poison_message_in_ten(bucket: Bucket, mark: str) -> None:
    """Nine are recorded; the tenth is parked after the set number of tries, with payload and reason, and redriven."""
    bucket.gcp.hold_back()
    for number in range(9):
        bucket.put(f"good/{mark}/{number}", b"good")
    bucket.put(f"poison/{mark}/9", b"poison")
    bucket.gcp.let_go()

    bucket.wait_for(f"good/{mark}", count=9)
    [poisoned] = bucket.wait_for(f"poison/{mark}", count=1, state=State.PARKED)
    bucket.wait_until_idle()
    assert bucket.calls_of(poisoned) == ATTEMPT_COUNT
    assert "this upload cannot be handled" in poisoned.reason
    [parked] = bucket.parked_of(f"poison/{mark}")
    assert "ValueError: this upload cannot be handled" in parked["reason"]

    bucket.operator("redrive", parked["parked_id"])

    wait_until(
        lambda: bucket.calls_of(poisoned) == 2 * ATTEMPT_COUNT, timeout_s=WAIT_S, what="a redrive gives new tries"
    )
    bucket.wait_until_idle()
    assert bucket.wait_for(f"poison/{mark}", count=1, state=State.PARKED)


def test_case_4_rejected_upload_is_parked_at_once(bucket: Bucket, mark: str) -> None:
    """An upload that the user's function rejects is not tried again."""
    bucket.put(f"rejected/{mark}", b"x")

    [record] = bucket.wait_for(mark, count=1, state=State.PARKED)

    assert bucket.calls_of(record) == 1
    assert record.reason == "nobody wants this upload"


def test_case_4_message_that_means_nothing_is_parked(bucket: Bucket, mark: str) -> None:
    """A message that nobody can read is kept whole, with the reason."""
    bucket.gcp.send(f"not JSON {mark}")

    wait_until(lambda: bucket.parked_of(mark), timeout_s=WAIT_S, what="parked", interval_s=0.2)
    [parked] = bucket.parked_of(mark)
    assert (parked["body"], parked["reason"]) == (f"not JSON {mark}", "the message is no JSON")


def test_case_5_late_create_does_not_revive_a_deleted_object(bucket: Bucket, mark: str) -> None:
    """Create, overwrite and delete in any order end in the same state: deleted."""
    bucket.gcp.hold_back()
    for order in ("abd", "adb", "bad", "bda", "dab", "dba"):
        key = f"{mark}/{order}"
        events = {"a": ("OBJECT_FINALIZE", "101"), "b": ("OBJECT_FINALIZE", "102"), "d": ("OBJECT_ARCHIVE", "102")}
        for name in order:
            kind, generation = events[name]
            bucket.notify(kind, key, generation=generation)
    bucket.gcp.let_go()
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


def test_case_6_function_is_killed(bucket: Bucket, mark: str) -> None:
    """With the whole function gone, messages wait; when it is back, they are worked off."""
    bucket.gcp.function.kill()
    try:
        bucket.put(f"{mark}/a", b"x")
    finally:
        bucket.gcp.start_function()

    assert bucket.wait_for(mark, count=1)


def test_case_6_stand_ins_are_killed(bucket: Bucket, mark: str) -> None:
    """A kill of the queue and the ledger loses neither a message nor a record."""
    bucket.gcp.hold_back()
    bucket.put(f"{mark}/a", b"x")
    wait_until(lambda: bucket.gcp.message_count("work") == 1, timeout_s=WAIT_S, what="the message")
    for server in (bucket.gcp.pubsub, bucket.gcp.firestore):
        server.process.kill()
        server.start()
    bucket.gcp.let_go()

    assert bucket.wait_for(mark, count=1)


def test_case_7_overwrite_gives_two_records(bucket: Bucket, mark: str) -> None:
    """The same key twice is two versions: two records, each with the sha256 of its own content."""
    contents = [b"first", b"second"]

    for content in contents:
        bucket.put(f"{mark}/a", content)

    records = bucket.wait_for(mark, count=2)
    assert {record.sha256 for record in records} == {hashlib.sha256(c).hexdigest() for c in contents}


def test_case_10_object_not_there_is_parked_and_repaired(bucket: Bucket, mark: str) -> None:
    """An event without its object is parked after a set number of tries; the object's own event records it."""
    content = b"late"
    bucket.notify("OBJECT_FINALIZE", f"{mark}/late", generation="1", size_bytes=len(content))
    [record] = bucket.wait_for(mark, count=1, state=State.PARKED)
    assert record.reason.startswith("missing")
    assert record.attempt == ATTEMPT_COUNT

    bucket.put(f"{mark}/late", content)

    bucket.wait_for(mark, count=1)
    [parked] = bucket.parked_of(mark)
    bucket.operator("redrive", parked["parked_id"])
    bucket.wait_until_idle()
    assert {r.state for r in bucket.records(mark)} == {State.RECORDED, State.GONE}


def test_case_14_our_own_write_starts_no_loop(bucket: Bucket, mark: str) -> None:
    """An object that says from which upload it was made is recorded, and the user's function is not called."""
    bucket.put(f"{mark}/thumbnail", b"made by us", metadata={"sluice-derived-from": "the-upload"})

    [record] = bucket.wait_for(mark, count=1)

    assert record.derived_from == "the-upload"
    assert bucket.calls_of(record) == 0
