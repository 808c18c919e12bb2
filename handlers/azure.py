"""What Azure Functions calls: `process` with each message of the work queue, `watch` each minute. HTTP: handlers/api/.

Written for the v2 programming model, with what azure-functions 1.26 (Python 3.10 to 3.12) and 2.x (3.13 on) share. The
root module that Azure wants, `function_app.py`, is made by `providers.azure.package`: it takes `app` from
handlers/azure_app.py and adds the HTTP API.

A function that returns has its message deleted. One that raises does not; the host then makes the message visible
again, but with the receipt that it knows. The worker has set the time of the next try beforehand, and with it a new
receipt, so that the host's attempt changes nothing.
"""

import os
import uuid
from dataclasses import replace
from functools import cache
from typing import Any

from core.ports import Cloud, Message
from core.worker import Worker
from handlers.settings import Settings, read_settings, required, required_with_peers
from handlers.wiring import clock_ms, make_worker
from providers.azure.events import messages_of, parse
from providers.azure.message_text import decode

# The next call of the timer is a minute later, and a timer does not overlap itself.
_WATCH_S = 55


class MessageComesBackError(Exception):
    """The message was not finished: the only way to tell Azure Functions so is to raise."""


def process_message(message: Message) -> None:
    """Work one message off.

    Raises:
        MessageComesBackError: It must come back; the log says why.
    """
    worker = _worker()
    message = replace(message, body=decode(message.body))  # so that an operator can read it, should it be parked
    deadline_at_ms = clock_ms() + _settings().timeout_s * 1000
    if worker.handle_batch([message], concurrency=1, deadline_at_ms=deadline_at_ms):
        raise MessageComesBackError(f"message {message.message_id} is not finished and comes back")
    if os.environ.get("SLUICE_LOCAL_DIR"):  # there, no host deletes what is done
        worker.work.acknowledge(message)


def process(event: dict[str, Any], context: Any) -> None:  # noqa: ARG001
    """For `sls invoke local`: work off the messages that `sls put` and `sls redrive` print, or an event as it is.

    Raises:
        MessageComesBackError: At least one of them must come back.
    """
    failed = []
    for message in messages_of(event):
        try:
            process_message(message)
        except MessageComesBackError as error:
            failed.append(str(error))
    if failed:
        raise MessageComesBackError("; ".join(failed))


def watch(event: dict[str, Any], context: Any) -> dict[str, int]:  # noqa: ARG001
    """Sweep, exchange records, and look at all clouds, until shortly before the next call, or the app's timeout."""
    from handlers.scheduled import run_minute

    seconds = min(_WATCH_S, _settings().timeout_s)
    return {"look_count": run_minute(connect(), deadline_at_ms=clock_ms() + seconds * 1000)}


@cache
def connect() -> Cloud:
    """The services of Azure, or the embedded store where SLUICE_LOCAL_DIR names one. Kept while the host is warm."""
    local_dir = os.environ.get("SLUICE_LOCAL_DIR", "")
    if local_dir:
        import providers.local.connect

        return providers.local.connect.connect(local_dir, cloud="azure", new_version=_new_etag)
    import providers.azure.connect

    return providers.azure.connect.connect(
        bucket=required(os.environ, "SLUICE_BUCKET"),
        ledger_table=required(os.environ, "SLUICE_LEDGER_TABLE"),
        control_table=required_with_peers(os.environ, "SLUICE_CONTROL_TABLE"),
        work_queue=os.environ.get("SLUICE_WORK_QUEUE", ""),  # the API has none
        parked_queue=os.environ.get("SLUICE_PARKED_QUEUE", ""),
    )


def _new_etag() -> str:
    return f"0x{uuid.uuid4().int >> 64:X}"


@cache
def _settings() -> Settings:
    return read_settings(os.environ)


@cache
def _worker() -> Worker:
    return make_worker(cloud="azure", connected=connect(), parse=parse, settings=_settings())
