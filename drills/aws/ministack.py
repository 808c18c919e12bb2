"""ministack, an emulator of S3, SQS, DynamoDB and CloudFormation, as a supervised process on loopback.

Its state survives `stop` and `start`, as the real services' would survive. Never kill it: measured 2026-11-23 with
ministack 1.5.33, SIGKILL loses queues and tables (S3 objects stay), whereas SIGTERM keeps everything.
"""

import os
import sys
from pathlib import Path

from drills.supervisor import LOOPBACK, Runs, SupervisedProcess, answers_http, pick_free_port

START_TIMEOUT_S = 30.0


class Ministack(Runs):
    """One emulator. The port stays the same over restarts, so clients need not be told."""

    def __init__(self, folder: Path) -> None:
        """Describe an emulator whose data and log live in `folder`."""
        self.port = pick_free_port()
        self.endpoint_url = f"http://{LOOPBACK}:{self.port}"
        self._process = SupervisedProcess(
            [sys.executable, "-m", "ministack"],
            name="ministack",
            environment=_environment(folder / "data", self.port),
            folder=folder / "data",
            log_path=folder / "ministack.log",
        )

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            StartError: It did not answer in time.
        """
        self._process.start()
        self._process.wait_ready(lambda: answers_http(self.port, "/_ministack/health"), timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        """Stop politely: the state is written now."""
        self._process.stop()

    def pause(self) -> None:
        """Make every AWS service hang: connections are accepted by the system, nothing answers."""
        self._process.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self._process.resume()


def _environment(data_folder: Path, port: int) -> dict[str, str]:
    """Return ministack's whole environment; BIND_HOST and IOT_MTLS_ENABLED keep it off other interfaces and ports."""
    return {
        "PATH": os.defpath,
        "HOME": str(data_folder),
        "TMPDIR": str(data_folder),
        "BIND_HOST": LOOPBACK,
        "MINISTACK_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data_folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(data_folder / "s3"),
    }
