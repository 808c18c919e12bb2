"""Puts a file into one bucket: at once, or in parts, several at a time, each tried again by itself."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
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


def send_parts(
    file: LocalFile,
    *,
    cloud: str,
    targets: object,
    sent: SentParts,
    acknowledge: Callable[[int, str], None],
    on_sent: Callable[[int], None],
    is_over: threading.Event,
    timeout_s: float,
) -> None:
    """PUT the parts that are not in `sent`.

    Args:
        targets: [{"url", "headers"}], in the order of the parts.
        acknowledge: Called with a part's number, from 1, and its ETag, from several threads.
        is_over: Once set, nothing more is sent.

    Raises:
        TransientError: A part does not stand, as far as we know. No other is begun then.
        FileError: The file changed.
    """
    sizes = part_sizes(file.size_bytes, sent.part_bytes)
    if not isinstance(targets, list) or len(targets) != len(sizes) or not all(isinstance(t, dict) for t in targets):
        raise TransientError(f"the bucket of {cloud}: it has not a target for each part")
    is_failed = threading.Event()

    def send_one(number: int) -> None:
        if is_failed.is_set() or is_over.is_set():
            return
        try:
            etag = send_with_retries(number)
        except (TransientError, FileError):
            is_failed.set()
            raise
        acknowledge(number, etag)

    def send_with_retries(number: int) -> str:
        for tries_left in reversed(range(_TRY_COUNT)):
            start, size_bytes = (number - 1) * sent.part_bytes, sizes[number - 1]
            try:
                with FileReader(
                    file, on_read=on_sent, is_cancelled=is_over, start=start, size_bytes=size_bytes
                ) as body:
                    return put(targets[number - 1], body, cloud=cloud, size_bytes=size_bytes, timeout_s=timeout_s)
            except TransientError:
                if not tries_left or is_over.is_set():
                    raise
        raise AssertionError("the last try returns or raises")

    left = [number for number in range(1, len(sizes) + 1) if str(number) not in sent.etags]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"parts-{cloud}") as pool:
        for future in [pool.submit(send_one, number) for number in left]:
            future.result()
    if is_over.is_set():
        raise TransientError(f"the bucket of {cloud}: no longer needed")


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
