"""The benchmark on a local Google Cloud, in Google's functions framework, by the requests with which Pub/Sub pushes."""

import http.client
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.ports import ObjectInfo
from drills.bench.report import Goal
from drills.gcp.cloud import PROJECT, FunctionSettings, LocalGcp
from drills.gcp.drilled import DrilledGcp
from drills.gcp.google import storage_client
from drills.gcp.stand_ins import START_TIMEOUT_S, listens
from drills.supervisor import LOOPBACK, SupervisedProcess, pick_free_port
from drills.waiting import wait_until
from providers.gcp.events import notification_event

GOALS = (Goal(what="cold", max_ratio=0.6), Goal(what="warm", max_ratio=1.0))
_CALL_TIMEOUT_S = 30


class GcpInstance:
    """One functions framework, as Cloud Run starts one."""

    def __init__(self, source: Path, *, environment: Mapping[str, str], task_root: Path, log_path: Path) -> None:
        self._port = pick_free_port()
        where = ["--host", LOOPBACK, "--port", str(self._port), "--source", str(source)]
        self._process = SupervisedProcess(
            [sys.executable, "-m", "functions_framework", "--target", "process", "--signature-type=cloudevent", *where],
            name=log_path.stem,
            environment={
                "PATH": os.defpath,
                "PYTHONPATH": str(task_root),
                "FUNCTION_TARGET": "process",
                "WORKERS": "1",
                "THREADS": "8",
                **environment,
            },
            folder=task_root,
            log_path=log_path,
        )
        self._process.start()
        self._is_listening = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def handle(self, event: str) -> None:
        if not self._is_listening:
            self._await_listening()
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=_CALL_TIMEOUT_S)
        try:
            path = f"/projects/{PROJECT}/topics/work"
            connection.request("POST", path, body=event.encode(), headers={"content-type": "application/json"})
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != http.HTTPStatus.OK:
            raise RuntimeError(f"the handler answered {status}\n{self._process.log_tail()}")

    def close(self) -> None:
        self._process.kill()

    def _await_listening(self) -> None:
        """Wait as `SupervisedProcess.wait_ready` does, but look every millisecond, since this time is measured."""
        wait_until(
            lambda: not self._process.is_running or listens(self._port),
            timeout_s=START_TIMEOUT_S,
            what=f"{self._process.name} listens",
            interval_s=0.001,
        )
        if not self._process.is_running:
            raise RuntimeError(f"the handler did not start\n{self._process.log_tail()}")
        self._is_listening = True


class GcpBench:
    """The handlers on one local Google Cloud, whose own function is stopped."""

    handlers = ("naive", "sluice")

    def __init__(self, gcp: LocalGcp, *, folder: Path, task_root: Path) -> None:
        self._gcp = gcp
        self._folder, self._task_root = folder / "bench", task_root
        self._bucket = storage_client(gcp.storage.url, project=PROJECT).bucket(gcp.bucket)
        # Google's client speaks gRPC, ours speaks HTTP; the stand-in has a port for each.
        naive = {"FIRESTORE_EMULATOR_HOST": gcp.firestore.grpc_address, "SLUICE_LEDGER_COLLECTION": "naive"}
        self._environments = {"naive": {**gcp.environment, **naive}, "sluice": gcp.environment}
        # In a folder of its own, which the framework puts on the path.
        self._sources = {"naive": self._folder / "naive" / "main.py", "sluice": task_root / "handlers" / "gcp.py"}
        self._sources["naive"].parent.mkdir(parents=True)
        shutil.copy(task_root / "drills/bench/naive_gcp.py", self._sources["naive"])

    def start(self, handler: str, *, label: str) -> GcpInstance:
        return GcpInstance(
            self._sources[handler],
            environment=self._environments[handler],
            task_root=self._task_root,
            log_path=self._folder / f"{label}.log",
        )

    def put(self, key: str, content: bytes) -> str:
        blob = self._bucket.blob(key)
        blob.upload_from_string(content, content_type="application/pdf")
        info = ObjectInfo(key=key, version=str(blob.generation), size_bytes=len(content))
        return json.dumps(notification_event(info, bucket=self._gcp.bucket))

    def scan(self) -> list[Mapping[str, Any]]:
        return DrilledGcp(self._gcp).scan()


@contextmanager
def open_gcp(folder: Path, *, task_root: Path) -> Iterator[GcpBench]:
    """Start the servers; stop them afterwards."""
    with LocalGcp(FunctionSettings(), folder=folder, task_root=task_root) as gcp:
        gcp.hold_back()  # the benchmark pushes by itself
        gcp.function.stop()
        yield GcpBench(gcp, folder=folder, task_root=task_root)
