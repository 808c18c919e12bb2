"""How far an upload is: a bar on a terminal, plain lines elsewhere."""

import threading
from collections.abc import Callable
from typing import TextIO

_WIDTH = 24
_REDRAW_AFTER_S = 0.1


class Progress:
    """Shows the progress of one file at a time; safe to call from several threads."""

    def __init__(self, *, out: TextIO, monotonic_s: Callable[[], float]) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._name = ""
        self._total_bytes = 0
        self._sent_bytes = 0
        self._part_count = self._done_count = 0
        self._began_s = self._drawn_s = 0.0
        self._is_drawn = False

    def begin(self, name: str, *, total_bytes: int, part_count: int = 0) -> None:
        """Start with a file. More than `total_bytes` are sent where several copies are put, or one again.

        Args:
            part_count: Parts that are to be sent, to all clouds together; 0: it goes at once.
        """
        with self._lock:
            self._name, self._total_bytes, self._sent_bytes = printable(name), total_bytes, 0
            self._part_count, self._done_count = part_count, 0
            self._began_s = self._monotonic_s()

    def add(self, sent_bytes: int) -> None:
        with self._lock:
            self._sent_bytes += sent_bytes
            now_s = self._monotonic_s()
            if self._is_terminal and now_s - self._drawn_s >= _REDRAW_AFTER_S:
                self._drawn_s = now_s
                self._draw(now_s)

    def add_part(self) -> None:
        """A part was acknowledged."""
        with self._lock:
            self._done_count += 1

    def say(self, line: str) -> None:
        """A line of its own, above the bar."""
        with self._lock:
            self._wipe()
            print(printable(line), file=self._out, flush=True)

    def end(self) -> None:
        with self._lock:
            self._wipe()

    def _draw(self, now_s: float) -> None:
        share = min(1.0, self._sent_bytes / self._total_bytes) if self._total_bytes else 1.0
        bar = "█" * round(share * _WIDTH)
        rate_mib_per_s = self._sent_bytes / max(now_s - self._began_s, 0.001) / 2**20
        parts = f" {self._done_count}/{self._part_count} parts" if self._part_count else ""
        text = f"{self._name[:40]} {bar:░<{_WIDTH}} {share:4.0%} {rate_mib_per_s:.1f} MiB/s{parts}"
        self._out.write(f"\r\x1b[K{text}")
        self._out.flush()
        self._is_drawn = True

    def _wipe(self) -> None:
        if self._is_drawn:
            self._out.write("\r\x1b[K")
            self._is_drawn = False


def printable(text: str) -> str:
    """A hostile name must not move the cursor or colour a terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)
