"""One HTTP request to another cloud with the standard library: bounded in time and size, and never redirected."""

import http.client
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S = 2.0
_CHUNK_BYTES = 256 * 1024


class NoConnectionError(Exception):
    """Nothing was sent."""


class NoAnswerError(Exception):
    """Something was sent, and no whole answer came: nobody knows what was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The whole answer to a request."""

    status: int
    content_type: str
    body: bytes


@contextmanager
def opened(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_s: float
) -> Iterator[http.client.HTTPResponse]:
    """Send a request; the answer's body is not read yet.

    Args:
        timeout_s: How long the other side may be silent once there is a connection.

    Raises:
        NoConnectionError: Also if the URL's host has no address, or a certificate is wrong.
        NoAnswerError: Also while the body is read inside the `with`.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        try:
            connection.connect()
        except OSError as error:
            raise NoConnectionError(type(error).__name__) from error
        connection.sock.settimeout(timeout_s)
        try:
            connection.request(method, target or "/", body=body or None, headers=dict(headers))
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(type(error).__name__) from error
    finally:
        connection.close()


def call(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_s: float, answer_max_bytes: int
) -> Answer:
    """Send a request and read the whole answer.

    Raises:
        NoConnectionError: As `opened`.
        NoAnswerError: Also if the answer is larger than it may be, or takes twice as long as silence may.
    """
    give_up_at_s = time.monotonic() + 2 * timeout_s
    with opened(method, url, headers=headers, body=body, timeout_s=timeout_s) as response:
        chunks, size_bytes = [], 0
        while chunk := response.read1(_CHUNK_BYTES):
            chunks.append(chunk)
            size_bytes += len(chunk)
            if size_bytes > answer_max_bytes:
                raise NoAnswerError(f"the answer has more than {answer_max_bytes} bytes")
            if time.monotonic() > give_up_at_s:
                raise NoAnswerError("the answer takes too long")
        if response.length:
            raise NoAnswerError("the answer was cut short")
        return Answer(status=response.status, content_type=response.headers.get_content_type(), body=b"".join(chunks))


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT_S, context=_tls())
    return http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
