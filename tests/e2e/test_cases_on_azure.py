"""What goes wrong in real life, on the local Azure: each a case that users of other systems have reported."""

import base64
import hashlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.record import Record, State, from_fields
from drills.azure.cloud import BUCKET, LocalAzure
from drills.waiting import wait_until
from tests.e2e.bucket import ATTEMPT_COUNT, ROOT, WAIT_S

HOSTILE_KEYS = ["{}a+b %2B/..x", "{}/🦥 sloth.txt", "../../{}", "%41{}", "{}<b>&'\"", "{}ü%zz", "{}" + "k" * 1016]


@pytest.fixture(scope="module")
def local_azure(tmp_path_factory: pytest.TempPathFactory, task_root: Path, faults_folder: Path) -> Iterator[LocalAzure]:
    """A running local Azure whose function stops after 6 s, and whose messages come back 7 s after a crash."""
    settings = {
        "SLUICE_ATTEMPT_COUNT": str(ATTEMPT_COUNT),
        "SLUICE_LEASE_MARGIN_S": "1",
        "FAULTS_FOLDER": str(faults_folder),
    }
    folder = tmp_path_factory.mktemp("azure")
    with LocalAzure(folder=folder, task_root=task_root, timeout_s=6, lock_s=7, settings=settings) as running:
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The local Azure as a test sees it."""

    azure: LocalAzure
    faults_folder: Path

    def records(self, mark: str) -> list[Record]:
        """The records of the keys that contain this mark."""
        own = ("PartitionKey", "RowKey", "row_written_by")
        rows = [{name: value for name, value in row.items() if name not in own} for row in self.azure.scan()]
        return [record for record in map(from_fields, rows) if mark in record.upload.key]

    def wait_for(self, mark: str, *, count: int, state: State = State.RECORDED) -> list[Record]:
        """Wait until so many records of the mark are in this state; gives all records of the mark."""
        wait_until(
            lambda: sum(record.state is state for record in self.records(mark)) >= count,
            timeout_s=WAIT_S,
            what=f"{count} {state} with {mark} in the key",
            interval_s=0.1,
        )
        return self.records(mark)

    def wait_until_idle(self) -> None:
        wait_until(lambda: self.azure.work_count == 0, timeout_s=WAIT_S, what="an empty work queue", interval_s=0.1)

    def calls_of(self, record: Record) -> int:
        """How often the user's function was called for this upload."""
        calls = self.faults_folder / "calls"
        return calls.read_text().split().count(record.upload.upload_id) if calls.exists() else 0


@pytest.fixture
def container(local_azure: LocalAzure, faults_folder: Path) -> Container:
    """Tests share it, so each uses keys of its own."""
    return Container(azure=local_azure, faults_folder=faults_folder)


def event(record: Record, kind: str = "BlobCreated", **change: Any) -> str:
    """An event of the blob of a record."""
    upload = record.upload
    data = {"api": "PutBlob", "eTag": upload.version, "contentLength": upload.size_bytes, "sequencer": upload.sequencer}
    subject = f"/blobServices/default/containers/{BUCKET}/blobs/{upload.key}"
    return json.dumps({"eventType": f"Microsoft.Storage.{kind}", "subject": subject, "data": data | change})


def operator(container: Container, *arguments: str) -> Any:
    """Run an operator's command against the local Azure; gives its JSON, or None."""
    command = [sys.executable, "-m", "handlers.cli", arguments[0], "--cloud", "azure", *arguments[1:]]
    environment = container.azure.environment
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


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


def test_case_4_one_poison_message_in_ten(container: Container, mark: str) -> None:
    """Nine are recorded; the tenth is parked after its tries, with payload and reason, and redriven."""
    for number in range(9):
        container.azure.put(f"good/{mark}/{number}", b"good")
    container.azure.put(f"poison/{mark}/9", b"poison")

    container.wait_for(f"good/{mark}", count=9)
    [poisoned] = container.wait_for(f"poison/{mark}", count=1, state=State.PARKED)
    container.wait_until_idle()
    assert container.calls_of(poisoned) == ATTEMPT_COUNT
    [parked] = [p for p in operator(container, "parked", "--json")["parked"] if f"poison/{mark}" in p["body"]]
    assert "ValueError: this upload cannot be handled" in parked["reason"]

    operator(container, "redrive", parked["parked_id"])

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
    current = operator(container, "ledger", "--json", "--current")["records"]
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


def test_case_11_handshake_is_no_upload(container: Container) -> None:
    """A subscription's validation that lands in the queue is ignored and not parked."""
    parked_before = container.azure.parked_count
    kind = "Microsoft.EventGrid.SubscriptionValidationEvent"

    container.azure.send(json.dumps([{"eventType": kind, "data": {"validationCode": str(uuid.uuid4())}}]))
    container.wait_until_idle()

    assert container.azure.parked_count == parked_before


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
        p for p in operator(container, "parked", "--json")["parked"] if mark in p["body"] and "neither" in p["body"]
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
