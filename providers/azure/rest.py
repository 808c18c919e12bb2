"""Requests to Azure Storage over the standard library, signed, on connections that are kept.

The SDKs would cost a cold start many times what the work itself costs (docs/decisions.md has the numbers), and their
own retries take 84 s to report a dead endpoint. Here a request is sent once more only if the connection on which it
went had been idle, and broke without an answer: the server closes idle ones at any time.
"""

import http.client
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from providers.azure.account import Account, Call, Service

# Known to every region; and to Azurite, without which the newest SDKs' version would have to be forced on it.
VERSION = "2024-11-04"
# The first that takes tokens of Microsoft Entra ID ("Authorize access to tables using Microsoft Entra ID").
_TABLE_VERSION = "2020-12-06"

_CONNECT_TIMEOUT_S = 2.0
_READ_TIMEOUT_S = {Service.BLOB: 15.0, Service.QUEUE: 5.0, Service.TABLE: 5.0}  # without a byte
_IDLE_CONNECTION_COUNT = 64
_LEFT_OVER_BYTES = 64 * 1024  # reading so much of an answer is cheaper than another connection

_ENTITY = re.compile(r"&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


class NotSentError(Exception):
    """No connection: the request was not sent."""


class NoAnswerError(Exception):
    """The request was sent, and no whole answer came: what it did is not known."""


class RefusedError(Exception):
    """The service answered with an error.

    Attributes:
        code: The service's own, "" if it gave none.
        was_resent: Whether the request was sent twice; then the first one may have done what the second one met.
    """

    def __init__(self, *, status: int, code: str, was_resent: bool) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.was_resent = was_resent


CALL_ERRORS = (NotSentError, NoAnswerError, RefusedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A finished answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class OpenAnswer:
    """An answer whose body is still to be read."""

    def __init__(self, response: http.client.HTTPResponse, *, was_resent: bool) -> None:
        self._response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.was_resent = was_resent

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes of the body; b"" only at its end.

        Raises:
            NoAnswerError: The body was cut short, or stopped coming.
        """
        try:
            chunk = self._response.read(None if size < 0 else size)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(type(error).__name__) from error
        # For a read of a given size, http.client takes an early end for the end.
        if not chunk and size and self._response.length:
            raise NoAnswerError("the body was cut short")
        return chunk

    def finish(self) -> bool:
        """Read what is left if that is little. Whether the connection may be used again."""
        if self._response.will_close:
            return False
        if (self._response.length or 0) <= _LEFT_OVER_BYTES:
            with suppress(NoAnswerError):
                while self.read(_LEFT_OVER_BYTES):
                    pass
        return self._response.isclosed()


class Storage:
    """One service of one account. Threads may share it."""

    def __init__(self, account: Account, service: Service) -> None:
        self.account = account
        self.url = account.urls[service]
        parts = urlsplit(self.url)
        self._service = service
        self._host, self._is_secure, self._base = parts.netloc, parts.scheme == "https", parts.path
        self._idle: list[http.client.HTTPConnection] = []

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | BinaryIO = b"",
        size_bytes: int | None = None,
    ) -> Answer:
        """Send a request and read its whole answer.

        Args:
            path: Below the service's URL, encoded, with a slash at its start.
            size_bytes: Of a body that is a file.

        Raises:
            RefusedError: The status is not 2xx.
            NotSentError, NoAnswerError: As their names say.
        """
        opened, connection = self._open(
            method, path, query=query or {}, headers=headers or {}, body=body, size_bytes=size_bytes
        )
        try:
            content = opened.read()
        except NoAnswerError:
            connection.close()
            raise
        self._keep(connection, opened)
        _require_success(opened)
        return Answer(status=opened.status, headers=opened.headers, body=content)

    @contextmanager
    def stream(self, path: str, *, headers: Mapping[str, str]) -> Iterator[OpenAnswer]:
        """GET something, to be read inside of the `with`. Raises as `call` does, before anything is read."""
        opened, connection = self._open("GET", path, query={}, headers=headers, body=b"", size_bytes=None)
        try:
            _require_success(opened)
            yield opened
        finally:
            self._keep(connection, opened)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | BinaryIO,
        size_bytes: int | None,
    ) -> tuple[OpenAnswer, http.client.HTTPConnection]:
        length = len(body) if isinstance(body, bytes) else size_bytes
        sent = {**self._common_headers(), **headers}
        if method in ("PUT", "POST"):
            sent["Content-Length"] = str(length)
        full_path = self._base + path
        call = Call(service=self._service, method=method, path=full_path, query=query, headers=sent)
        sent["Authorization"] = self.account.credential.authorization(call)
        url = full_path + ("?" + "&".join(f"{name}={quote(query[name], safe='')}" for name in query) if query else "")
        was_resent = False
        while True:
            connection, was_idle = self._connection()
            try:
                connection.request(method, url, body=body or None, headers=sent)
                return OpenAnswer(connection.getresponse(), was_resent=was_resent), connection
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if not was_idle or isinstance(error, TimeoutError):
                    raise NoAnswerError(type(error).__name__) from error
                was_resent = True
                if not isinstance(body, bytes):
                    body.seek(0)

    def _common_headers(self) -> dict[str, str]:
        headers = {"x-ms-date": formatdate(usegmt=True)}
        if self._service is Service.TABLE:
            return headers | {"x-ms-version": _TABLE_VERSION, "DataServiceVersion": "3.0;NetFx"}
        return headers | {"x-ms-version": VERSION}

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        with suppress(IndexError):
            return self._idle.pop(), True
        kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        connection = kind(self._host, timeout=_CONNECT_TIMEOUT_S)
        try:
            connection.connect()
        except OSError as error:
            raise NotSentError(type(error).__name__) from error
        connection.sock.settimeout(_READ_TIMEOUT_S[self._service])
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection, False

    def _keep(self, connection: http.client.HTTPConnection, opened: OpenAnswer) -> None:
        if opened.finish() and len(self._idle) < _IDLE_CONNECTION_COUNT:
            self._idle.append(connection)
        else:
            connection.close()


def _require_success(opened: OpenAnswer) -> None:
    if not 200 <= opened.status < 300:
        code = opened.headers.get("x-ms-error-code", "")
        raise RefusedError(status=opened.status, code=code, was_resent=opened.was_resent)


def xml_text(text: str) -> str:
    """The text of an XML element, also with characters that XML forbids and Azure sends all the same."""
    return _ENTITY.sub(lambda m: chr(int(m[1], 16)) if m[1] else chr(int(m[2])) if m[2] else _NAMED[m[3]], text)
