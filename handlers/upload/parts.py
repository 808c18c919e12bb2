"""Puts a file into one bucket: at once, or in parts, several at a time, each tried again by itself."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from core.errors import TransientError
from core.parts import part_sizes
from core.ports import Readable
from handlers.peers.http_call import NoAnswerError, NoConnectionError
from handlers.peers.settings import origin_of
from handlers.upload.files import FileError, FileReader, LocalFile
from handlers.upload.http import send
from handlers.upload.state import SentParts

_AT_ONCE = 4  # parts that are sent to one bucket at the same time
_TRY_COUNT = 3  # of one part, in one run through the clouds


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingParts:
    """The parts of one file on their way to one bucket.

    Attributes:
        targets: [{"url", "headers"}], in the order of the parts.
        sent: What stands already.
        acknowledge: Called with a part's number, from 1, and its ETag, from several threads.
        is_over: Once set, nothing more is sent.
    """

    file: LocalFile
    cloud: str
    targets: object
    sent: SentParts
    acknowledge: Callable[[int, str], None]
    on_sent: Callable[[int], None]
    is_over: threading.Event
    timeout_s: float
    _is_failed: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """PUT the parts that do not stand.

        Raises:
            TransientError: A part does not stand, as far as we know. No other is begun then.
            FileError: The file changed.
        """
        targets, sizes = self.targets, part_sizes(self.file.size_bytes, self.sent.part_bytes)
        if not isinstance(targets, list) or len(targets) != len(sizes) or not all(isinstance(t, dict) for t in targets):
            raise TransientError(f"the bucket of {self.cloud}: it has not a target for each part")
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"parts-{self.cloud}") as pool:
            futures = [
                pool.submit(self._send, number, target, size_bytes)
                for number, (target, size_bytes) in enumerate(zip(targets, sizes, strict=True), start=1)
                if str(number) not in self.sent.etags
            ]
            for future in futures:
                future.result()
        if self.is_over.is_set():
            raise TransientError(f"the bucket of {self.cloud}: no longer needed")

    def _send(self, number: int, target: Mapping[str, Any], size_bytes: int) -> None:
        if self._is_failed.is_set() or self.is_over.is_set():
            return
        try:
            etag = self._send_with_retries(number, target, size_bytes)
        except (TransientError, FileError):
            self._is_failed.set()
            raise
        self.acknowledge(number, etag)

    def _send_with_retries(self, number: int, target: Mapping[str, Any], size_bytes: int) -> str:
        start = (number - 1) * self.sent.part_bytes
        for tries_left in reversed(range(_TRY_COUNT)):
            reader = FileReader(
                self.file, on_read=self.on_sent, is_cancelled=self.is_over, start=start, size_bytes=size_bytes
            )
            try:
                with reader as body:
                    return put(target, body, cloud=self.cloud, size_bytes=size_bytes, timeout_s=self.timeout_s)
            except TransientError:
                if not tries_left or self.is_over.is_set():
                    raise
        raise AssertionError("the last try returns or raises")


def put_parts(sent: SentParts) -> dict[str, Any]:
    """What `:complete` is told of one cloud."""
    return {"handle": sent.handle, "etags": [sent.etags[str(number)] for number in range(1, len(sent.etags) + 1)]}


def put(target: Mapping[str, Any], body: Readable, *, cloud: str, size_bytes: int, timeout_s: float) -> str:
    """PUT one body where a presigned URL says; gives its ETag, "" if the bucket gives none.

    Raises:
        TransientError: It does not stand there, as far as we know.
        FileError: The file changed.
    """
    url, headers = target.get("url"), target.get("headers")
    try:
        if not isinstance(url, str) or not isinstance(headers, dict) or not origin_of(url):
            raise ValueError("it is no presigned PUT")
    except ValueError as error:
        raise TransientError(f"the bucket of {cloud}: {error}") from error
    kept = {str(name): str(value) for name, value in headers.items()}
    try:
        answer = send("PUT", url, headers=kept, body=body, size_bytes=size_bytes, timeout_s=timeout_s)
    except (NoConnectionError, NoAnswerError) as error:
        raise TransientError(f"the bucket of {cloud}: no answer ({error})") from error
    if not 200 <= answer.status < 300:
        raise TransientError(f"the bucket of {cloud} answered {answer.status}")
    return answer.etag
