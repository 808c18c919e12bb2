"""A stand-in for the Azure Functions host: workers, and the queue trigger with the semantics of the real one.

Source: "Azure Queue storage trigger", "host.json" (Azure Functions documentation) and the WebJobs extension's
QueueProcessor. Real is what runs in the worker. HTTP is in `drills.azure.http_trigger`. Not here: timers (local clouds
run handlers/watch.py, which does what `watch` does), output bindings, scaling, renewing the lock of a message (no
function runs half as long as the lock).
"""

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.queue import QueueClient, QueueMessage

from drills.azure import http_trigger
from drills.azure.http_trigger import HttpTrigger, to_rpc
from drills.azure.language_worker import FunctionFailedError, LanguageWorker
from drills.http_front import HttpRequest

# The real host hides a message for ten minutes while it runs, and prolongs that; nobody else gets it before.
REAL_LOCK_S = 600
_POLL_MIN_S, _POLL_MAX_S = 0.05, 2.0


@dataclass(slots=True, kw_only=True)
class HostCounts:
    """What has happened so far. An error is an invocation that did not return."""

    invocation: int = 0
    worker_start: int = 0
    error: int = 0
    most_concurrent: int = 0


class FunctionsHost:
    """Feeds the functions of one app from their queues, and from HTTP. Between `start` and `stop` it works.

    Attributes:
        http: Where the app's HTTP function is asked; None where it has none, or the host is stopped.
    """

    def __init__(
        self, app_folder: Path, *, environment: Mapping[str, str], log_folder: Path, lock_s: int = REAL_LOCK_S
    ) -> None:
        """Describe a host.

        Args:
            app_folder: Holds function_app.py, host.json and the code.
            environment: The app's settings; also where connections and %names% are looked up.
            lock_s: How long a received message is hidden; a killed host's messages come back so late.
        """
        self.counts = HostCounts()
        self._app_folder = app_folder
        self._environment = dict(environment)
        self._log_folder = log_folder
        self._lock_s = lock_s
        settings = json.loads((app_folder / "host.json").read_text())
        self._queues = settings["extensions"]["queues"]
        self._timeout_s = _seconds(settings["functionTimeout"])
        self._worker: LanguageWorker | None = None
        self._worker_lock = threading.Lock()
        self._counts_lock = threading.Lock()
        self._running_count = 0
        self._stopping = threading.Event()
        self._listeners: list[threading.Thread] = []
        self.http: HttpTrigger | None = None

    def start(self) -> None:
        """Start a worker, and listen to the queues of its functions, and to HTTP."""
        self._stopping.clear()
        worker = self._ensure_worker()
        for name in worker.functions:
            trigger = worker.trigger_of(name)
            if trigger["type"] == "queueTrigger":
                thread = threading.Thread(target=self._listen, args=(name, trigger), daemon=True)
                thread.start()
                self._listeners.append(thread)
            elif trigger["type"] == "httpTrigger":
                self.http = HttpTrigger(partial(self._serve, name, trigger["name"]))
                self.http.start()

    def stop(self) -> None:
        """Let the running invocations end, then stop the worker."""
        self._stopping.set()
        if self.http is not None:
            self.http.stop()
        self.http = None
        for thread in self._listeners:
            thread.join(self._timeout_s + 10)
        self._listeners.clear()
        with self._worker_lock:
            if self._worker is not None:
                self._worker.close()
            self._worker = None

    def kill_worker(self) -> None:
        """Kill the worker's process; the host starts another one when it needs it."""
        with self._worker_lock:
            if self._worker is not None:
                self._worker.process.kill()

    @property
    def worker_pid(self) -> int:
        return self._ensure_worker().process.pid

    def _ensure_worker(self) -> LanguageWorker:
        with self._worker_lock:
            if self._worker is None or self._worker.is_lost:
                if self._worker is not None:
                    self._worker.close()
                self.counts.worker_start += 1
                self._worker = LanguageWorker(
                    app_folder=self._app_folder,
                    environment=self._environment,
                    log_path=self._log_folder / "worker.log",
                )
            return self._worker

    def _listen(self, name: str, trigger: dict[str, Any]) -> None:
        queue_name = self._resolved(trigger["queueName"])
        connection = self._environment[trigger["connection"]]
        batch_count = int(self._queues["batchSize"])
        pause_s = _POLL_MIN_S
        with (
            _queue_client(connection, queue_name) as queue,
            _queue_client(connection, f"{queue_name}-poison") as poison,
            ThreadPoolExecutor(batch_count, thread_name_prefix="invoke") as pool,
        ):
            while not self._stopping.is_set():
                try:
                    pages = queue.receive_messages(max_messages=batch_count, visibility_timeout=self._lock_s)
                    messages = list(pages)
                except AzureError:
                    messages = []
                list(pool.map(lambda message: self._process(name, trigger, message, queue, poison), messages))
                pause_s = _POLL_MIN_S if messages else min(2 * pause_s, _POLL_MAX_S)
                if not messages:
                    self._stopping.wait(pause_s)

    def _process(
        self, name: str, trigger: dict[str, Any], message: QueueMessage, queue: QueueClient, poison: QueueClient
    ) -> None:
        max_count = int(self._queues["maxDequeueCount"])
        try:
            if int(message.dequeue_count or 1) > max_count:
                _move_to_poison(message, queue, poison)
            elif self._invoke(name, trigger, message):
                queue.delete_message(message)
            elif int(message.dequeue_count or 1) >= max_count:
                _move_to_poison(message, queue, poison)
            else:
                queue.update_message(message, visibility_timeout=int(_seconds(self._queues["visibilityTimeout"])))
        except HttpResponseError as error:
            # The function itself set the time of the next try, and thereby another receipt.
            if getattr(error, "error_code", "") not in ("PopReceiptMismatch", "MessageNotFound"):
                self._count_error()
        except AzureError:
            self._count_error()  # the message comes back when its lock ends

    def _invoke(self, name: str, trigger: dict[str, Any], message: QueueMessage) -> bool:
        with self._counts_lock:
            self.counts.invocation += 1
            self._running_count += 1
            self.counts.most_concurrent = max(self.counts.most_concurrent, self._running_count)
        try:
            worker = self._ensure_worker()
            data = worker.rpc.TypedData
            metadata = {
                "QueueTrigger": data(string=message.content),
                "Id": data(string=message.id),
                "DequeueCount": data(json=str(message.dequeue_count)),
                "PopReceipt": data(string=message.pop_receipt),
                **{
                    field: data(json=json.dumps(at.isoformat()))
                    for field, at in (
                        ("InsertionTime", message.inserted_on),
                        ("ExpirationTime", message.expires_on),
                        ("NextVisibleTime", message.next_visible_on),
                    )
                    if at is not None
                },
            }
            inputs = {trigger["name"]: data(string=message.content)}
            worker.invoke(name, inputs=inputs, metadata=metadata, timeout_s=self._timeout_s)
        except FunctionFailedError as error:
            self._note_failure(f"{name} {message.id} try {message.dequeue_count}: {error}")
            return False
        finally:
            with self._counts_lock:
                self._running_count -= 1
        return True

    def _serve(self, name: str, parameter: str, request: HttpRequest) -> Any:
        """Invoke the HTTP function; its own timeout is the app's, that of HTTP the load balancer's."""
        timeout_s = min(self._timeout_s, http_trigger.TIMEOUT_S)
        try:
            worker = self._ensure_worker()
            inputs = {parameter: to_rpc(request, worker.rpc)}
            return worker.invoke(name, inputs=inputs, metadata={}, timeout_s=timeout_s).http
        except FunctionFailedError as error:
            self._note_failure(f"{name} {request.method}: {error}")
            raise

    def _note_failure(self, text: str) -> None:
        self._count_error()
        with (self._log_folder / "host.log").open("a") as log:
            log.write(f"{text}\n")

    def _count_error(self) -> None:
        with self._counts_lock:
            self.counts.error += 1

    def _resolved(self, text: str) -> str:
        return self._environment[text.strip("%")] if text.startswith("%") else text


def _move_to_poison(message: QueueMessage, queue: QueueClient, poison: QueueClient) -> None:
    with suppress(ResourceExistsError):
        poison.create_queue()
    poison.send_message(message.content)
    queue.delete_message(message)


def _queue_client(connection: str, name: str) -> QueueClient:
    return QueueClient.from_connection_string(
        connection, name, retry_total=0, connection_timeout=2, read_timeout=5, logging_enable=False
    )


def _seconds(text: str) -> float:
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
