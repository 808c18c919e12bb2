"""The local Google Cloud as an end-to-end test sees it, as tests/e2e/bucket.py does for AWS."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.record import Record, State, from_fields
from drills.gcp.cloud import COLLECTION, PROJECT, LocalGcp
from drills.gcp.google import call
from drills.waiting import wait_until
from providers.gcp.clients import emulated
from providers.gcp.ledger import FirestoreLedger
from tests.e2e.bucket import ROOT, WAIT_S, peak_rss_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpBucket:
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

    def put_unseen(self, key: str, content: bytes) -> None:
        """Put an object whose event gets lost: its message is taken out of the queue before the function sees it."""
        self.gcp.hold_back()
        self.put(key, content)
        wait_until(lambda: self.gcp.message_count("work") == 1, timeout_s=WAIT_S, what="the message to lose")
        subscription = f"/v1/projects/{PROJECT}/subscriptions/work"
        pulled = call("POST", self.gcp.pubsub.http_address, f"{subscription}:pull", body={"maxMessages": 10})
        ids = [received["ackId"] for received in pulled["receivedMessages"]]
        call("POST", self.gcp.pubsub.http_address, f"{subscription}:acknowledge", body={"ackIds": ids})
        self.gcp.let_go()

    def send_event_of(self, record: Record) -> None:
        """Send the event of a record's object, late or once more."""
        upload = record.upload
        self.notify("OBJECT_FINALIZE", upload.key, generation=upload.version, size_bytes=upload.size_bytes or 0)

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

    def peak_rss_bytes(self) -> int:
        """The most memory that the functions framework's worker has held; its master only waits."""
        pid = self.gcp.function.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return max(peak_rss_bytes(int(worker)) for worker in workers)

    @property
    def temporary_folder(self) -> Path:
        """Where the function would keep files."""
        return Path(self.gcp.environment["TMPDIR"])

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
