"""Passes HTTP/1.1 messages on as they are: heads byte for byte, bodies in pieces as they come.

Source: RFC 9112, "Message Body Length". Nothing is added or renamed, because requests are signed over their headers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from drills.supervisor import LOOPBACK

PIECE_BYTES = 1 << 16
HEAD_MAX_BYTES = 1 << 17
_REST_OF_BODY_S = 2.0  # how long a client that was answered early may go on sending

Send = Callable[[bytes], Awaitable[None]]


class BrokenMessageError(Exception):
    """The peer ended in the middle of a message, or sent what is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The start line and the headers of one message.

    Attributes:
        raw: As they were sent, with the empty line.
        start: The three parts of the start line: method, target, version, or version, status, reason.
        headers: By name in lower case; of several with one name the last.
    """

    raw: bytes
    start: tuple[str, str, str]
    headers: Mapping[str, str]

    @property
    def is_last(self) -> bool:
        """Whether the sender ends the connection after this message."""
        options = self.headers.get("connection", "").lower()
        is_old = "HTTP/1.0" in self.start and "keep-alive" not in options
        return is_old or "close" in options

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length_bytes(self) -> int | None:
        """Of the body as declared; None where it is not."""
        text = self.headers.get("content-length")
        return int(text) if text is not None and text.isdigit() else None


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next message's head; None if the peer has ended the connection instead.

    Raises:
        BrokenMessageError: It ended within a head, or sent none.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise BrokenMessageError("the connection ended within a head") from error
    except asyncio.LimitOverrunError as error:
        raise BrokenMessageError("the head is too long") from error
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    start = first.split(" ", 2)
    if len(start) < 2:
        raise BrokenMessageError("this is no HTTP")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Head(raw=raw, start=(start[0], start[1], start[2] if len(start) > 2 else ""), headers=headers)


def has_answer_body(request: Head, answer: Head) -> bool:
    """Whether a body follows an answer's head, whatever its headers say of one."""
    status = int(answer.start[1])
    return request.start[0] != "HEAD" and status >= 200 and status not in (204, 304)


async def pass_request_body(head: Head, reader: asyncio.StreamReader, send: Send) -> None:
    """Pass a request's body on."""
    if head.is_chunked:
        await _pass_chunks(reader, send)
    else:
        await _pass_bytes(reader, send, head.length_bytes or 0)


async def pass_answer_body(head: Head, reader: asyncio.StreamReader, send: Send) -> bool:
    """Pass an answer's body on. Whether the connection that it came from can be used again."""
    if head.is_chunked:
        await _pass_chunks(reader, send)
    elif head.length_bytes is not None:
        await _pass_bytes(reader, send, head.length_bytes)
    else:
        while piece := await reader.read(PIECE_BYTES):
            await send(piece)
        return False
    return True


async def _pass_bytes(reader: asyncio.StreamReader, send: Send, count_bytes: int) -> None:
    while count_bytes > 0:
        piece = await reader.read(min(PIECE_BYTES, count_bytes))
        if not piece:
            raise BrokenMessageError("the connection ended within a body")
        count_bytes -= len(piece)
        await send(piece)


async def _pass_chunks(reader: asyncio.StreamReader, send: Send) -> None:
    try:
        size_bytes = 1
        while size_bytes:
            line = await reader.readuntil(b"\r\n")
            await send(line)
            size_bytes = int(line.split(b";")[0], 16)
            if size_bytes:
                await _pass_bytes(reader, send, size_bytes + len(b"\r\n"))
        while line != b"\r\n":  # trailers
            line = await reader.readuntil(b"\r\n")
            await send(line)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise BrokenMessageError("the connection ended within a chunk, or it is none") from error


class Upstream:
    """One client's connection to the service, made when it is needed and kept as long as both sides keep theirs."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, request: Head, client: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer_dropped: bool
    ) -> bool:
        """Pass a request on and its answer back. Whether another request may follow.

        Raises:
            BrokenMessageError, OSError: There was no whole answer; some of it may have been passed back.
        """
        reader, to_service = await self._connect()
        to_service.write(request.raw)
        sending = asyncio.ensure_future(_send_body(request, client, to_service))
        try:
            answer = await _final_head(reader, writer)
            send: Send = drop if is_answer_dropped else partial(_write, writer)
            await send(answer.raw)
            is_kept = True
            if has_answer_body(request, answer):
                is_kept = await pass_answer_body(answer, reader, send)
            try:
                await asyncio.wait_for(sending, _REST_OF_BODY_S)
            except TimeoutError:
                is_kept = False
        finally:
            sending.cancel()
        if answer.is_last:
            self.close()
        return is_kept and not request.is_last and not answer.is_last

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
        self._streams = None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(LOOPBACK, self._port, limit=HEAD_MAX_BYTES)
        return self._streams


async def _final_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Head:
    """The answer's head, after those that only say that it will come ("100 Continue"), which are passed back."""
    while (answer := await read_head(reader)) is not None:
        if not answer.start[1].startswith("1"):
            return answer
        await _write(writer, answer.raw)
    raise BrokenMessageError("the service ended the connection without an answer")


async def _send_body(request: Head, client: asyncio.StreamReader, to_service: asyncio.StreamWriter) -> None:
    """Pass a request's body on. What the service no longer takes is dropped: it may have answered already."""

    async def send(piece: bytes) -> None:
        with suppress(OSError):
            await _write(to_service, piece)

    try:
        await pass_request_body(request, client, send)
    except (BrokenMessageError, OSError):
        to_service.transport.abort()  # the client left half-way; the service must not take that for the whole


async def _write(writer: asyncio.StreamWriter, piece: bytes) -> None:
    writer.write(piece)
    await writer.drain()


async def drop(piece: bytes) -> None:
    """Send it nowhere."""
