"""What the functions framework calls: `process` with each message that Pub/Sub pushes, `watch` each minute. HTTP API:
handlers/api/.

Success acknowledges the message. An exception brings it back, after a wait that grows by the subscription's retry
policy (10 to 600 s). What will never succeed is parked by our own code, with the reason, and so acknowledged.
"""

import logging
import os
import time
from functools import cache
from typing import Any

from core.ports import Cloud
from handlers.settings import Settings, read_settings, required, required_with_peers
from handlers.wiring import clock_ms, make_worker
from providers.gcp.events import messages_of, parse

if os.environ.get("FUNCTION_TARGET") == "process":
    import providers.gcp.clients

    providers.gcp.clients.warm()  # Cloud Run can lend more CPU while a container starts ("startup CPU boost")
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")


def process(event: Any) -> None:
    """Work off the message in a CloudEvent (or the messages in the JSON of a push or a pull, as `sls put` prints it).

    Raises:
        RuntimeError: It was not finished and must come again.
    """
    settings = _settings()
    # A worker for each delivery, because its owner name has to tell apart two deliveries of one message.
    worker = make_worker(cloud="gcp", connected=connect(), parse=parse, settings=settings)
    messages = messages_of(event)
    deadline_at_ms = clock_ms() + settings.timeout_s * 1000
    back = worker.handle_batch(messages, concurrency=settings.concurrency_count, deadline_at_ms=deadline_at_ms)
    for message in messages:
        if message not in back:
            worker.work.acknowledge(message)  # does nothing if it was pushed
    if back:
        raise RuntimeError("the message was not finished and should come again; the log says why")


def watch(request: Any) -> dict[str, int]:  # noqa: ARG001
    """Sweep, exchange records, and look at all clouds, for SLUICE_TIMEOUT_S seconds. Cloud Scheduler's request says
    nothing that we need."""
    from handlers.scheduled import run_minute

    return {"look_count": run_minute(connect(), deadline_at_ms=clock_ms() + _settings().timeout_s * 1000)}


@cache
def connect() -> Cloud:
    """The services of Google Cloud, or the embedded store where SLUICE_LOCAL_DIR names one. Kept while warm."""
    local_dir = os.environ.get("SLUICE_LOCAL_DIR", "")
    if local_dir:
        import providers.local.connect

        return providers.local.connect.connect(local_dir, cloud="gcp", new_version=_new_generation)
    import providers.gcp.connect

    return providers.gcp.connect.connect(
        project=required(os.environ, "GOOGLE_CLOUD_PROJECT"),
        bucket=required(os.environ, "SLUICE_BUCKET"),
        database=os.environ.get("SLUICE_LEDGER_DATABASE", "(default)"),
        collection=required(os.environ, "SLUICE_LEDGER_COLLECTION"),
        control_collection=required_with_peers(os.environ, "SLUICE_CONTROL_COLLECTION"),
        work_topic=os.environ.get("SLUICE_WORK_TOPIC", ""),  # the API has none
        work_subscription=os.environ.get("SLUICE_WORK_SUBSCRIPTION", ""),
        parked_topic=os.environ.get("SLUICE_PARKED_TOPIC", ""),
        parked_subscription=os.environ.get("SLUICE_PARKED_SUBSCRIPTION", ""),
        clock_ms=clock_ms,
    )


def _new_generation() -> str:
    # Cloud Storage's own are microseconds as well.
    return str(time.time_ns() // 1000)


@cache
def _settings() -> Settings:
    return read_settings(os.environ)
