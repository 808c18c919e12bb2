"""One HTTP request of the upload client: streamed, bounded in time, never redirected, and an early answer is read."""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import urlsplit

from core.ports import Readable
from handlers.peers.http_call import CONNECT_TIMEOUT_S, NoAnswerError, NoConnectionError
from handlers.peers.problem_types import name_of

_ANSWER_MAX_BYTES = 256 * 1024
_BLOCK_BYTES = 256 * 1024
_RETRY_AFTER_MAX_S = 3600

# A body that goes out more slowly than this counts as silence of the other side.
_SLOWEST_BYTES_PER_S = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer.

    Attributes:
        problem: The name of the problem document's type, or "".
        fields: Of the JSON object in the body; empty if there is none.
        retry_after_s: As asked for, or None.
        active: The cloud that the answering one says to be the active one, if that is another; else "".
        etag: Of what was put, as a bucket gives it; "" if it gives none.
    """

    status: int
    problem: str
    fields: Mapping[str, Any]
    retry_after_s: int | None
    active: str
    etag: str


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | Readable = b"",
    size_bytes: int,
    timeout_s: float,
) -> Answer:
    """Send a request and read its answer, also one that comes before the body is sent.

    Args:
        size_bytes: Of the body.
        timeout_s: How long the other side may be silent. The whole may take this long, and more for a large body.

    Raises:
        NoConnectionError: Nothing was sent.
        NoAnswerError: Nobody knows what was done.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    kept = {name: value for name, value in headers.items() if name.lower() != "content-length"}
    kept["Content-Length"] = str(size_bytes)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with _connected(connection, timeout_s=timeout_s, whole_s=timeout_s + size_bytes / _SLOWEST_BYTES_PER_S):
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent: the answer says why
            connection.request(method, target, body=body, headers=kept)
        response = connection.getresponse()
        return _answer(response, response.read(_ANSWER_MAX_BYTES))


@contextmanager
def _connected(connection: http.client.HTTPConnection, *, timeout_s: float, whole_s: float) -> Iterator[None]:
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise NoConnectionError(type(error).__name__) from error
    plug = connection.sock

    def pull() -> None:
        with suppress(OSError):
            plug.shutdown(SHUT_RDWR)

    watchdog = threading.Timer(whole_s, pull)  # a socket's own limit starts anew with every byte
    watchdog.daemon = True
    try:
        plug.settimeout(timeout_s)
        watchdog.start()
        yield
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(type(error).__name__) from error
    finally:
        watchdog.cancel()
        connection.close()


def _answer(response: http.client.HTTPResponse, body: bytes) -> Answer:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    retry_after = response.headers.get("Retry-After", "")
    is_number = retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10
    return Answer(
        status=response.status,
        problem=name_of(body) if response.status >= 400 else "",
        fields=found if isinstance(found, dict) else {},
        retry_after_s=min(int(retry_after), _RETRY_AFTER_MAX_S) if is_number else None,
        active=response.headers.get("Sluice-Active", ""),
        etag=response.headers.get("ETag", ""),
    )


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            host, port, timeout=CONNECT_TIMEOUT_S, blocksize=_BLOCK_BYTES, context=context
        )
    return http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S, blocksize=_BLOCK_BYTES)
