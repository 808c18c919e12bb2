"""The benchmark on a local Azure, in Microsoft's runtime library, by the requests with which the host calls it."""

import queue
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drills.azure.cloud import LocalAzure
from drills.azure.language_worker import FunctionFailedError, LanguageWorker
from drills.bench.report import Goal
from providers.azure.package import host_json, write_root

GOALS = (Goal(what="cold", max_ratio=0.6), Goal(what="warm", max_ratio=1.0))
_EVENT_TIMEOUT_S, _CALL_TIMEOUT_S = 10.0, 30.0


class AzureInstance:
    """One language worker with the functions of one folder."""

    def __init__(self, app_folder: Path, *, environment: Mapping[str, str], log_path: Path) -> None:
        self._worker = LanguageWorker(app_folder=app_folder, environment=environment, log_path=log_path)

    @property
    def pid(self) -> int:
        return self._worker.process.pid

    def handle(self, event: str) -> None:
        data = self._worker.rpc.TypedData
        metadata = {
            "Id": data(string="bench"),
            "DequeueCount": data(json="1"),
            "PopReceipt": data(string="bench"),
        }
        try:
            inputs = {"message": data(string=event)}
            self._worker.invoke("process", inputs=inputs, metadata=metadata, timeout_s=_CALL_TIMEOUT_S)
        except FunctionFailedError as error:
            raise RuntimeError(f"the handler failed: {error}") from error

    def close(self) -> None:
        self._worker.close()


class AzureBench:
    """The handlers on one local Azure, whose own host is stopped."""

    handlers = ("naive", "sluice")

    def __init__(self, azure: LocalAzure, *, folder: Path, task_root: Path) -> None:
        self._azure = azure
        self._folder = folder / "bench"
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        azure.event_grid.deliver = self._events.put  # instead of the work queue
        _write_apps(self._folder, task_root=task_root)

    def start(self, handler: str, *, label: str) -> AzureInstance:
        log_path = self._folder / f"{label}.log"
        return AzureInstance(self._folder / handler, environment=self._azure.environment, log_path=log_path)

    def put(self, key: str, content: bytes) -> str:
        self._azure.put(key, content)
        return self._events.get(timeout=_EVENT_TIMEOUT_S)

    def scan(self) -> list[Mapping[str, Any]]:
        return [*self._azure.scan()]


@contextmanager
def open_azure(folder: Path, *, task_root: Path) -> Iterator[AzureBench]:
    """Start the servers; stop them afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    with LocalAzure(folder=folder, task_root=task_root) as azure:
        azure.host.stop()  # the benchmark calls the workers itself
        yield AzureBench(azure, folder=folder, task_root=task_root)


def _write_apps(folder: Path, *, task_root: Path) -> None:
    sluice, naive = folder / "sluice", folder / "naive"
    for app in (sluice, naive):
        app.mkdir(parents=True)
    for name in ("core", "handlers", "providers"):
        (sluice / name).symlink_to(task_root / name)
    write_root(sluice, timeout_s=60, batch_count=1)
    shutil.copy(task_root / "drills/bench/naive_azure.py", naive / "function_app.py")
    (naive / "host.json").write_text(host_json(timeout_s=60, batch_count=1))
