"""Probes targets at a fixed rate, one thread each, and keeps their health. One prober plays a whole fleet."""

import socket
import threading
import time
from collections.abc import Mapping

from drills.dns.health import Health, answered
from drills.dns.settings import Settings

_STATUS_LINE_MAX_BYTES = 1024


class Prober:
    """The health of all targets, kept up to date by threads that end with the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        now_s = time.time()
        self._health = {cloud: Health(since_s=now_s) for cloud in settings.targets}

    def start(self) -> None:
        for cloud in self._settings.targets:
            threading.Thread(target=self._keep_probing, args=(cloud,), name=f"probe-{cloud}", daemon=True).start()

    def health(self) -> Mapping[str, Health]:
        with self._lock:
            return dict(self._health)

    def answered(self) -> tuple[str, ...]:
        """The clouds that are answered now."""
        return answered(list(self._settings.targets), self.health(), follows=self._settings.follows)

    def _keep_probing(self, cloud: str) -> None:
        settings = self._settings
        due_s = time.monotonic()
        while True:
            is_good = is_good_target(settings, settings.targets[cloud])
            with self._lock:
                self._health[cloud] = self._health[cloud].after(
                    is_good,
                    at_s=time.time(),
                    threshold_count=settings.threshold_count,
                    recovery_count=settings.recovery_count,
                )
            due_s = max(due_s + settings.interval_s, time.monotonic())
            time.sleep(due_s - time.monotonic() if due_s > time.monotonic() else 0)


def is_good_target(settings: Settings, target: tuple[str, int]) -> bool:
    """One probe: connect within one limit, answer with a good status line within another, however slowly it drips."""
    request = f"GET {settings.path} HTTP/1.1\r\nHost: {target[0]}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(target, settings.connect_timeout_s) as connection:
            deadline_s = time.monotonic() + settings.answer_timeout_s
            connection.settimeout(settings.answer_timeout_s)
            connection.sendall(request.encode())
            line = b""
            while b"\r\n" not in line and len(line) < _STATUS_LINE_MAX_BYTES:
                connection.settimeout(max(deadline_s - time.monotonic(), 0.001))
                part = connection.recv(_STATUS_LINE_MAX_BYTES)
                if not part or time.monotonic() > deadline_s:
                    return False
                line += part
    except OSError:
        return False
    parts = line.split(maxsplit=2)
    return (
        len(parts) >= 2 and parts[0].startswith(b"HTTP/1.") and parts[1].isdigit() and settings.is_good(int(parts[1]))
    )
