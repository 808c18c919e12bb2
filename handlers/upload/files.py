"""The files of the upload client: what each is, and readers that notice when one changes under their hands."""

import hashlib
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from core.errors import UploadRejectedError
from core.parts import SIZE_MAX_BYTES
from core.ticket import Ticket, check_ticket

_CHUNK_BYTES = 1024 * 1024


class FileError(Exception):
    """The file cannot be uploaded; the message says why, without the file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A file as it was when it was looked at: another time or size is another file."""

    path: Path
    size_bytes: int
    mtime_ns: int
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name


def look_at_file(path: Path) -> LocalFile:
    """Read a file once, in constant memory.

    Raises:
        FileError: It is none, cannot be read, changes, or is nothing that an upload can be.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise FileError(
                "it is a folder; name its files" if stat.S_ISDIR(found.st_mode) else "it is no regular file"
            )
        _check(path.absolute().name, found.st_size)
        sha256 = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                sha256.update(chunk)
            after = os.fstat(file.fileno())
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise FileError(getattr(error, "strerror", None) or "its path makes no sense") from error
    if (after.st_size, after.st_mtime_ns) != (found.st_size, found.st_mtime_ns):
        raise FileError("it changes while it is read")
    return LocalFile(
        path=path.absolute(), size_bytes=found.st_size, mtime_ns=found.st_mtime_ns, sha256=sha256.hexdigest()
    )


def _check(name: str, size_bytes: int) -> None:
    if size_bytes > SIZE_MAX_BYTES:
        raise FileError(
            f"it has {size_bytes} bytes, and {SIZE_MAX_BYTES} are the most that every cloud can join of parts"
        )
    ticket = Ticket(upload_id="", name=name, size_bytes=size_bytes, sha256="", home="", accepted_at_ms=0)
    try:
        check_ticket(ticket)
    except UploadRejectedError as error:
        raise FileError(str(error)) from error


class FileReader:
    """Reads a file, or a part of it, for one request. Bytes are given only while the file is the one looked at."""

    def __init__(
        self,
        file: LocalFile,
        *,
        on_read: Callable[[int], None],
        is_cancelled: threading.Event,
        start: int = 0,
        size_bytes: int | None = None,
    ) -> None:
        """Open it.

        Args:
            start: Offset of the part's first byte, from 0.
            size_bytes: Of the part; None: of the whole file.
            on_read: Called with the number of bytes of each read.
            is_cancelled: Once set, reading raises.

        Raises:
            FileError: It cannot be opened.
        """
        try:
            self._body = file.path.open("rb")
            self._body.seek(start)
        except OSError as error:
            raise FileError(error.strerror or "it cannot be opened") from error
        self._file = file
        self._left_bytes = file.size_bytes if size_bytes is None else size_bytes
        self._on_read = on_read
        self._is_cancelled = is_cancelled

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._body.close()

    def read(self, size: int = -1, /) -> bytes:
        """Give up to `size` bytes.

        Raises:
            FileError: The file is not what it was, or reading was cancelled.
        """
        if self._is_cancelled.is_set():
            raise FileError("another part of its upload failed")
        if not self._left_bytes:
            return b""
        try:
            chunk = self._body.read(self._left_bytes if size < 0 else min(size, self._left_bytes))
            now = os.fstat(self._body.fileno())
        except OSError as error:
            raise FileError(error.strerror or "it cannot be read") from error
        if not chunk or (now.st_size, now.st_mtime_ns) != (self._file.size_bytes, self._file.mtime_ns):
            raise FileError("it changed since it was looked at; upload it again")
        self._left_bytes -= len(chunk)
        self._on_read(len(chunk))
        return chunk
