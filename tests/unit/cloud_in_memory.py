"""One cloud in memory with a clock that a test moves, and a user's function that a test chooses."""

import io
import json
from dataclasses import dataclass, field
from typing import Any

from core.pipeline import HandleUpload, Pipeline, Try
from core.record import Record, State, from_fields
from core.retry import RetryPolicy
from core.upload import Upload
from core.work_item import from_payload, to_text
from core.worker import Worker
from providers.memory.ledger import MemoryLedger
from providers.memory.object_store import MemoryObjectStore
from providers.memory.work_queue import MemoryWorkQueue

CONTENT = b"the content"
TIMEOUT_MS = 60_000
LEASE_MARGIN_S = 10
ATTEMPT_COUNT = 3


@dataclass
class MemoryCloud:
    """The parts, the clock, and shortcuts to what tests ask."""

    handle_upload: HandleUpload = lambda _upload, _stream: {"content_type": "text/plain"}
    now_ms: int = 1_000_000
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    store: MemoryObjectStore = field(default_factory=lambda: MemoryObjectStore(bucket="b"))
    handled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work = MemoryWorkQueue(clock_ms=lambda: self.now_ms)
        self.parked = MemoryWorkQueue(clock_ms=lambda: self.now_ms)
        self.pipeline = Pipeline(
            cloud="aws",
            store=self.store,
            ledger=self.ledger,
            handle_upload=self._handle,
            clock_ms=lambda: self.now_ms,
            policy=RetryPolicy(attempt_count=ATTEMPT_COUNT),
            lease_margin_s=LEASE_MARGIN_S,
        )
        self.worker = Worker(
            pipeline=self.pipeline,
            work=self.work,
            parked=self.parked,
            parse=lambda body: [from_payload(json.loads(body))],
            owner="worker",
            jitter=lambda: 0.5,
        )

    def put(self, key: str = "k", content: bytes = CONTENT, **options: Any) -> Upload:
        """Put an object; gives the upload that its event would tell of."""
        info = self.store.put(key, io.BytesIO(content), size_bytes=len(content), **options)
        assert info is not None
        return self.upload(key, version=info.version, size_bytes=len(content))

    def upload(self, key: str = "k", *, version: str = "1", size_bytes: int | None = None) -> Upload:
        """An upload, whether its object is there or not."""
        return Upload(
            upload_id=f"id of {key} {version}",
            cloud="aws",
            bucket="b",
            key=key,
            version=version,
            size_bytes=size_bytes,
            sequencer=version,
        )

    def attempt(self, upload: Upload, *, owner: str = "a", receive_count: int = 1) -> Try:
        """A try that has the whole time of a function before it."""
        return Try(
            upload=upload,
            owner=owner,
            deadline_at_ms=self.now_ms + TIMEOUT_MS,
            receive_count=receive_count,
            jitter=0.5,
        )

    def send(self, *uploads: Upload) -> None:
        """Put messages for uploads into the work queue."""
        self.work.send([to_text(upload) for upload in uploads])

    def record(self, upload: Upload) -> Record:
        """What the ledger has of the upload."""
        row = self.ledger.get(upload.upload_id)
        assert row is not None
        return from_fields(row.fields)

    def state(self, upload: Upload) -> State:
        return self.record(upload).state

    def _handle(self, upload: Upload, stream: Any) -> dict[str, Any] | None:
        self.handled.append(upload.upload_id)
        return self.handle_upload(upload, stream)
