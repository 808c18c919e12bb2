"""The local AWS as an end-to-end test sees it: put objects, send messages, look at records, run operator's commands."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from core.record import Record, State, from_fields
from drills.aws.cloud import LocalAws
from drills.waiting import wait_until
from providers.aws.ledger import DynamoLedger

ROOT = Path(__file__).parents[2]
ATTEMPT_COUNT = 3
WAIT_S = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The bucket, and what stands behind it."""

    aws: LocalAws
    faults_folder: Path

    def put(self, key: str, content: bytes, **options: Any) -> str:
        """Put an object; returns its versionId."""
        return self.aws.s3.put_object(Bucket=self.aws.bucket, Key=key, Body=content, **options)["VersionId"]

    def put_unseen(self, key: str, content: bytes) -> None:
        """Put an object whose event never comes: the bucket's notification is switched off meanwhile."""
        where: Any = {"Bucket": self.aws.bucket}
        settings = self.aws.s3.get_bucket_notification_configuration(**where)
        del settings["ResponseMetadata"]
        self.aws.s3.put_bucket_notification_configuration(**where, NotificationConfiguration={})
        try:
            self.put(key, content)
        finally:
            self.aws.s3.put_bucket_notification_configuration(**where, NotificationConfiguration=settings)

    def send_event_of(self, record: Record) -> None:
        """Send the event of a record's object, late or once more."""
        upload = record.upload
        found = {"key": quote_plus(upload.key), "size": upload.size_bytes, "versionId": upload.version}
        thing = {"bucket": {"name": self.aws.bucket}, "object": found | {"sequencer": upload.sequencer or "0A"}}
        self.send(notification({"eventName": "ObjectCreated:Put", "s3": thing}))

    def send(self, *bodies: str) -> None:
        """Put messages into the work queue, as somebody else would."""
        for body in bodies:
            self.aws.sqs.send_message(QueueUrl=self.aws.work_queue.url, MessageBody=body)

    def records(self, mark: str) -> list[Record]:
        """The records of the keys that contain this mark."""
        rows = DynamoLedger(table=self.aws.table, client=self.aws.dynamodb).page(limit=1000).rows
        records = [from_fields(row.fields) for row in rows]
        return [record for record in records if mark in record.upload.key]

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
        wait_until(lambda: self.aws.work_queue.message_count == 0, timeout_s=WAIT_S, what="an empty work queue")

    def peak_rss_bytes(self) -> int:
        """The most memory that any of the function's workers has held."""
        return max(environment.peak_rss_bytes or 0 for environment in self.aws.function.environments)

    @property
    def temporary_folder(self) -> Path:
        """Where the function would keep files."""
        return Path(self.aws.environment["TMPDIR"])

    def calls_of(self, record: Record) -> int:
        """How often the user's function was called for this upload."""
        calls = self.faults_folder / "calls"
        return calls.read_text().split().count(record.upload.upload_id) if calls.exists() else 0

    def operator(self, *arguments: str) -> Any:
        """Run an operator's command; gives its JSON, or None."""
        command = [sys.executable, "-m", "handlers.cli", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.aws.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    def created(self, key: str, *, etag: str, size_bytes: int, sequencer: str = "0A") -> dict[str, Any]:
        """One record of a notification: a put into a bucket without versions."""
        found = {"key": key, "size": size_bytes, "eTag": etag, "sequencer": sequencer}
        return {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": self.aws.bucket}, "object": found}}


def notification(*records: dict[str, Any]) -> str:
    """An S3 notification, as S3 writes it."""
    return json.dumps({"Records": [{**record, "eventSource": "aws:s3", "eventVersion": "2.1"} for record in records]})


def peak_rss_bytes(pid: int) -> int:
    """The most memory that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
