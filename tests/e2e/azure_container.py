"""The local Azure as an end-to-end test sees it, as tests/e2e/bucket.py does for AWS."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from core.record import Record, State, from_fields
from drills.azure.cloud import BUCKET, LocalAzure
from drills.waiting import wait_until
from tests.e2e.bucket import ROOT, WAIT_S, peak_rss_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The local Azure as a test sees it."""

    azure: LocalAzure
    faults_folder: Path

    def put(self, key: str, content: bytes) -> None:
        """Put a blob."""
        self.azure.put(key, content)

    def put_unseen(self, key: str, content: bytes) -> None:
        """Put a blob behind Event Grid's back, which then publishes nothing."""
        direct = self.azure.azurite.connection_string()
        with BlobServiceClient.from_connection_string(direct) as blobs, blobs.get_blob_client(BUCKET, key) as blob:
            blob.upload_blob(content)

    def send_event_of(self, record: Record) -> None:
        """Send the event of a record's blob, late or once more."""
        self.azure.send(event(record, sequencer=record.upload.sequencer or "A" * 48))

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

    def peak_rss_bytes(self) -> int:
        """The most memory that the language worker has held."""
        return peak_rss_bytes(self.azure.host.worker_pid)

    @property
    def temporary_folder(self) -> Path:
        """Where the function would keep files."""
        return Path(self.azure.environment["TMPDIR"])

    def operator(self, *arguments: str) -> Any:
        """Run an operator's command; gives its JSON, or None."""
        command = [sys.executable, "-m", "handlers.cli", arguments[0], "--cloud", "azure", *arguments[1:]]
        environment = self.azure.environment
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None


def event(record: Record, kind: str = "BlobCreated", **change: Any) -> str:
    """An event of the blob of a record."""
    upload = record.upload
    data = {"api": "PutBlob", "eTag": upload.version, "contentLength": upload.size_bytes, "sequencer": upload.sequencer}
    subject = f"/blobServices/default/containers/{BUCKET}/blobs/{upload.key}"
    return json.dumps({"eventType": f"Microsoft.Storage.{kind}", "subject": subject, "data": data | change})


def cloud_event(record: Record, kind: str = "BlobCreated", **change: Any) -> str:
    """The same in the schema of CloudEvents."""
    found = json.loads(event(record, kind, **change))
    return json.dumps({"specversion": "1.0", "type": found.pop("eventType"), **found})
