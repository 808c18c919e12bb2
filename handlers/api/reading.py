"""Reads requests: bounded before the first byte is read, and hashed on the way."""

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request

from handlers.api.problems import Problem
from handlers.peers.fields import FieldError, only

_CHUNK_BYTES = 64 * 1024
_PARAMETER_MAX_COUNT = 20
_LENGTH = re.compile(r"[0-9]{1,15}")
# RFC 9530: a dictionary of byte sequences, as in `sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:`
_DIGEST = re.compile(r"([a-z0-9-]{1,32})=:([A-Za-z0-9+/]{1,128}={0,2}):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A whole body, and its sha256 in hex."""

    content: bytes
    sha256: str

    def open(self) -> io.BytesIO:
        """A reader of its own for each cloud that gets a copy."""
        return io.BytesIO(self.content)


def pairs_of(request: Request) -> list[tuple[str, str]]:
    """The query's parameters in their order."""
    query = request.environ.get("QUERY_STRING", "")
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_PARAMETER_MAX_COUNT)
    except ValueError as error:
        raise FieldError(f"the query must be UTF-8, of up to {_PARAMETER_MAX_COUNT} parameters") from error


def query_of(request: Request, known: Collection[str]) -> dict[str, str]:
    """The query's parameters by name, each at most once and known."""
    pairs = pairs_of(request)
    query = dict(pairs)
    only(query, known)
    if len(query) < len(pairs):
        raise FieldError("a parameter is given twice")
    return query


def read_body(request: Request, *, max_bytes: int, way_out: str = "") -> Body:
    """Read the body whole.

    Args:
        way_out: What to do with a larger one.
    """
    size_bytes = _declared_size(request, max_bytes=max_bytes, way_out=way_out)
    stream, sha256, chunks = request.environ["wsgi.input"], hashlib.sha256(), []
    left_bytes = size_bytes
    while left_bytes > 0 and (chunk := _read(stream, min(left_bytes, _CHUNK_BYTES))):
        sha256.update(chunk)
        chunks.append(chunk)
        left_bytes -= len(chunk)
    if left_bytes:
        raise Problem("short-body")
    return Body(content=b"".join(chunks), sha256=sha256.hexdigest())


def check_digests(request: Request, sha256: str) -> None:
    """Compare the digests that the client declared, if it did. (Without an encoding the two headers mean the same.)"""
    for name in ("Content-Digest", "Repr-Digest"):
        if name in request.headers and _sha256_in(name, request.headers[name]) != sha256:
            raise Problem("digest-mismatch", f"{name} differs from the sha256 of the body that arrived")


def _declared_size(request: Request, *, max_bytes: int, way_out: str) -> int:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem("unsupported-encoding")
    length = request.environ.get("CONTENT_LENGTH") or ""
    if "Transfer-Encoding" in request.headers or not length:
        raise Problem("length-required")
    if not _LENGTH.fullmatch(length):
        raise Problem("bad-request", "Content-Length must be a whole number of up to 15 digits")
    if int(length) > max_bytes:
        raise Problem("too-large", f"the limit is {max_bytes} bytes{way_out}", limit_bytes=max_bytes)
    return int(length)


def _read(stream: Any, size_bytes: int) -> bytes:
    try:
        chunk: bytes = stream.read(size_bytes)
    except OSError:
        return b""  # the client is gone
    return chunk


def _sha256_in(name: str, value: str) -> str:
    found = {match[1]: match[2] for part in value.split(",") if (match := _DIGEST.fullmatch(part.strip()))}
    try:
        digest = base64.b64decode(found["sha-256"], validate=True)
    except (KeyError, binascii.Error) as error:
        raise FieldError(f"{name} must be sha-256=:<base64>: (RFC 9530)") from error
    return digest.hex()
