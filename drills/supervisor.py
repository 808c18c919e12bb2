"""Start a local process, know when it is ready, and stop exactly that process and its children.

Each process leads its own process group, so that a signal reaches its children and nobody else, and Ctrl-C in a
terminal reaches only the drill. Should the drill itself be killed, `drills.leash` stops the groups it left; only a kill
between a child's start and the line that reports it (microseconds) escapes.
"""

import atexit
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from drills.waiting import wait_until

LOOPBACK = "127.0.0.1"
LOG_TAIL_BYTES = 4_000
_PORTS = range(10_000, 32_768)
_PORT_TRIES = 1_000
_GIVEN: set[int] = set()
_PICKING = threading.Lock()
_LEASH_END_TIMEOUT_S = 10.0  # the leash itself needs `drills.leash.GRACE_S` at most, and only if groups are left


class StartError(Exception):
    """A process ended, or did not become ready in time; the message ends with the last lines of its log."""


class Runs:
    """Something that runs while it is entered: `with` starts it and, however that ends, stops it."""

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class SupervisedProcess(Runs):
    """One process with its own folder and log. The log is appended to over restarts, and kept."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        environment: Mapping[str, str],
        folder: Path,
        log_path: Path,
        stop_timeout_s: float = 10.0,
    ) -> None:
        """Describe the process; `start` starts it.

        Args:
            environment: The whole environment; nothing is inherited.
            folder: Working directory.
            stop_timeout_s: How long a polite stop may take before it becomes a kill.
        """
        self.name = name
        self.log_path = log_path
        self._command = list(command)
        self._environment = dict(environment)
        self._folder = folder
        self._stop_timeout_s = stop_timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id, which is also the process group's id."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; does not wait."""
        if self.is_running:
            raise RuntimeError(f"{self.name} is already running")
        self._folder.mkdir(parents=True, exist_ok=True)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _LEASH.hold(self._process.pid)

    def wait_ready(self, is_ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Return once `is_ready()`; otherwise stop the process.

        Raises:
            StartError: It ended, or was not ready within `timeout_s`.
        """
        try:
            wait_until(lambda: not self.is_running or is_ready(), timeout_s=timeout_s, what=f"{self.name} ready")
        except TimeoutError as error:
            self.stop()
            raise StartError(f"{error}\n{self.log_tail()}") from error
        if not self.is_running:
            raise StartError(f"{self.name} ended with status {self.exit_status}\n{self.log_tail()}")

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal; None while running or never started."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """Ask the group to end, wait, then kill it. Does nothing when it has already been stopped."""
        process = self._process
        if process is None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        _signal_group(process.pid, signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._stop_timeout_s)
        self.kill()

    def kill(self) -> None:
        """Kill the group at once and wait until its leader is gone. Does nothing when it has already been stopped."""
        process = self._process
        if process is None:
            return
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        _LEASH.release(process.pid)
        self._process = None

    def pause(self) -> None:
        """Freeze the group: connections stay open, nothing answers."""
        _signal_group(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        _signal_group(self.pid, signal.SIGCONT)

    def log_tail(self) -> str:
        """Return the last few thousand bytes of the log."""
        return log_tail(self.log_path)


def log_tail(path: Path) -> str:
    """Return the last few thousand bytes of a log, with its name."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        return f"--- end of {path.name} ---\n{log.read().decode(errors='replace')}"


def _signal_group(group_id: int, signal_number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group_id, signal_number)


class _Leash:
    """Our end of one `drills.leash` process, started when first needed and ended with the interpreter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def hold(self, group_id: int) -> None:
        self._tell(f"hold {group_id}\n")

    def release(self, group_id: int) -> None:
        self._tell(f"release {group_id}\n")

    def lock(self, path: Path) -> None:
        self._tell(f"lock {path}\n")

    def unlock(self, path: Path) -> None:
        self._tell(f"unlock {path}\n")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                script = str(Path(__file__).with_name("leash.py"))
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", script], stdin=subprocess.PIPE, text=True, start_new_session=True
                )
                atexit.register(self._end)
            pipe: IO[str] | None = self._process.stdin
            assert pipe is not None  # for the type checker: stdin=PIPE
            pipe.write(line)
            pipe.flush()

    def _end(self) -> None:
        """Close the pipe, upon which the leash stops what is still held and ends; wait for that."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_LEASH_END_TIMEOUT_S)


_LEASH = _Leash()


@contextmanager
def locked_while_processes_are_left(path: Path) -> Iterator[None]:
    """Keep a file locked, also after this process was killed, until the last process that it started is gone."""
    _LEASH.lock(path.resolve())
    try:
        yield
    finally:
        _LEASH.unlock(path.resolve())


def pick_free_port() -> int:
    """Return a loopback TCP port that was free a moment ago, and that this process has not been given before.

    It is none of those that Linux takes for outgoing connections by itself (ip(7), ip_local_port_range: from 32768 on),
    which could take it before its server does. A server that loses it all the same fails to start, with its log.
    """
    for _ in range(_PORT_TRIES):
        port = _PORTS[secrets.randbelow(len(_PORTS))]
        with _PICKING, socket.socket() as probe, suppress(OSError):
            if port not in _GIVEN:
                probe.bind((LOOPBACK, port))
                _GIVEN.add(port)
                return port
    raise StartError(f"no free port found in {_PORT_TRIES} tries, from {_PORTS[0]} to {_PORTS[-1]}")


def answers_http(port: int, path: str, *, any_status: bool = False) -> bool:
    """Whether a GET on loopback is answered within a second, with status 200 or with any."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK or any_status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
