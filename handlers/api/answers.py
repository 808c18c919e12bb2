"""Answers in JSON, and pages that fit into one."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.wrappers import Response

from handlers.peers.fields import FieldError

# Far below what a cloud's function may answer (Lambda: 6 MB, "Lambda quotas").
PAGE_MAX_BYTES = 1024 * 1024


def as_json(status: int, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> Response:
    return _json(status, json.dumps(body), headers=headers)


def page_that_fits(read: Callable[[int], Mapping[str, Any]], *, limit: int) -> Response:
    """A page of up to `limit` entries, or of fewer where so many would be too large."""
    while True:
        body = json.dumps(read(limit))
        if len(body) <= PAGE_MAX_BYTES or limit == 1:
            return _json(200, body)
        limit = max(1, limit // 4)


def encode_cursor(after: str) -> str:
    """A ledger's cursor as clients see it: opaque, and safe in a query as it is."""
    return base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    try:
        after = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise FieldError("after must be what the page before gave") from error
    if encode_cursor(after) != cursor:
        raise FieldError("after must be what the page before gave")
    return after


def _json(status: int, body: str, *, headers: Mapping[str, str] | None = None) -> Response:
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(body, status=status, content_type="application/json", headers=kept)
