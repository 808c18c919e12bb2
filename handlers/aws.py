"""What AWS Lambda calls: `process` with each batch of the work queue, `watch` each minute. HTTP API: handlers/api/."""

import os
from functools import cache
from typing import Any

from core.ports import Cloud
from core.worker import Worker
from handlers.settings import read_settings, required, required_with_peers
from handlers.wiring import clock_ms, make_worker
from providers.aws.events import messages_of, parse

if os.environ.get("_HANDLER", "").endswith("aws.process"):
    # Lambda lends a whole CPU while it imports, and a small function only a part of one afterwards.
    import providers.aws.clients

    providers.aws.clients.warm("s3", "dynamodb")


def process(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work off a batch of SQS messages, or an event that somebody sent directly.

    Returns:
        {"batchItemFailures": [{"itemIdentifier": message id}]}: exactly the messages that must come back
        (AWS Lambda Developer Guide, "Implementing partial batch responses").

    Raises:
        RuntimeError: A directly sent event was not finished; Lambda's own retries then send it again.
    """
    worker, concurrency_count = _worker()
    messages = messages_of(event)
    deadline_at_ms = clock_ms() + context.get_remaining_time_in_millis()
    back = worker.handle_batch(messages, concurrency=concurrency_count, deadline_at_ms=deadline_at_ms)
    if os.environ.get("SLUICE_LOCAL_DIR"):  # there, no event source mapping deletes what is done
        for message in messages:
            if message not in back:
                worker.work.acknowledge(message)
    if any(not message.receipt for message in back):
        raise RuntimeError("the event was not finished and should be sent again; the log says why")
    return {"batchItemFailures": [{"itemIdentifier": message.message_id} for message in back]}


def watch(event: dict[str, Any], context: Any) -> dict[str, int]:  # noqa: ARG001
    """Sweep, exchange records, and look at all clouds, for as long as the function may run."""
    from handlers.scheduled import run_minute

    return {"look_count": run_minute(connect(), deadline_at_ms=clock_ms() + context.get_remaining_time_in_millis())}


@cache
def connect() -> Cloud:
    """The services of AWS, or the embedded store where SLUICE_LOCAL_DIR names one. Kept while the function is warm."""
    local_dir = os.environ.get("SLUICE_LOCAL_DIR", "")
    if local_dir:
        import providers.local.connect

        return providers.local.connect.connect(local_dir, cloud="aws")
    import providers.aws.connect

    return providers.aws.connect.connect(
        bucket=required(os.environ, "SLUICE_BUCKET"),
        ledger_table=required(os.environ, "SLUICE_LEDGER_TABLE"),
        control_table=required_with_peers(os.environ, "SLUICE_CONTROL_TABLE"),
        work_queue_url=os.environ.get("SLUICE_WORK_QUEUE_URL", ""),  # the API has none
        parked_queue_url=os.environ.get("SLUICE_PARKED_QUEUE_URL", ""),
    )


@cache
def _worker() -> tuple[Worker, int]:
    settings = read_settings(os.environ)
    return make_worker(cloud="aws", connected=connect(), parse=parse, settings=settings), settings.concurrency_count
