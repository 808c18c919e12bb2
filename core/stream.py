"""The stream that the user's function reads: measured on the way, so that size and sha256 cost no second read."""

import hashlib
import io
from collections.abc import Callable

from core.errors import TransientError
from core.ports import Readable

CHUNK_BYTES = 256 * 1024


class MeasuredStream(io.RawIOBase):
    """Counts and hashes what is read from a body, holding no more than one chunk.

    Closing it does not stop `finish`: what a function closes, or reads half of, is still measured whole.
    """

    def __init__(self, body: Readable, *, require_time: Callable[[], None]) -> None:
        """`require_time` is called before each read and raises when there is no time left for it."""
        self._body = body
        self._require_time = require_time
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0
        self._failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        chunk = self._take(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def finish(self, *, expected_bytes: int) -> str:
        """Read what the function left, and give the sha256 of the whole, in hex.

        Raises:
            StepError: What a read raised, even if the function swallowed it; or the body was cut short.
        """
        while self._failure is None and self._take(CHUNK_BYTES):
            pass
        if self._failure is not None:
            raise self._failure
        if self.size_bytes != expected_bytes:
            raise TransientError(f"the body ended after {self.size_bytes} of {expected_bytes} bytes")
        return self._sha256.hexdigest()

    def _take(self, size: int) -> bytes:
        try:
            self._require_time()
            chunk = self._body.read(size)
        except Exception as error:
            self._failure = error
            raise
        self._sha256.update(chunk)
        self.size_bytes += len(chunk)
        return chunk
