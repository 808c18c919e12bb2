"""What the core itself costs: CPU time of one upload on adapters in memory, from message to acknowledged record."""

import io
import time
from collections.abc import Sequence

from core.pipeline import Pipeline
from core.ports import Message, Row
from core.record import State, from_fields
from core.retry import RetryPolicy
from core.worker import Worker
from providers.aws.events import notification_event, parse
from providers.memory.ledger import MemoryLedger
from providers.memory.object_store import MemoryObjectStore
from providers.memory.work_queue import MemoryWorkQueue

UPLOAD_COUNT = 2_000
CONTENT = b"x" * 4096


def measure_core_us() -> float:
    """CPU microseconds per upload of 4 KiB, the user's function excepted (here it does nothing)."""
    store, ledger = MemoryObjectStore(bucket="bench"), MemoryLedger()
    work, parked = MemoryWorkQueue(clock_ms=_clock_ms), MemoryWorkQueue(clock_ms=_clock_ms)
    pipeline = Pipeline(
        cloud="aws",
        store=store,
        ledger=ledger,
        handle_upload=lambda _upload, _stream: None,
        clock_ms=_clock_ms,
        policy=RetryPolicy(),
    )
    worker = Worker(pipeline=pipeline, work=work, parked=parked, parse=parse, owner="bench", jitter=lambda: 0.0)
    messages = [_message(store, number) for number in range(UPLOAD_COUNT)]
    started_s = time.process_time()
    for message in messages:
        worker.handle(message, deadline_at_ms=_clock_ms() + 60_000)
    spent_s = time.process_time() - started_s
    recorded_count = sum(from_fields(row.fields).state is State.RECORDED for row in _rows(ledger))
    if recorded_count != UPLOAD_COUNT:
        raise RuntimeError(f"{recorded_count} of {UPLOAD_COUNT} uploads were recorded: the figure means nothing")
    return spent_s / UPLOAD_COUNT * 1e6


def _message(store: MemoryObjectStore, number: int) -> Message:
    info = store.put(f"file-{number}", io.BytesIO(CONTENT), size_bytes=len(CONTENT))
    assert info is not None
    body = notification_event(info, bucket=store.bucket)["Records"][0]["body"]
    return Message(message_id=str(number), body=body, receipt=f"receipt-{number}", receive_count=1)


def _rows(ledger: MemoryLedger) -> Sequence[Row]:
    return ledger.page(limit=UPLOAD_COUNT).rows


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
