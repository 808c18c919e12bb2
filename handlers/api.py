"""The HTTP API: one WSGI app, the same on every cloud (on AWS behind serverless-wsgi).

    GET /v1/health          200 or 503 {"status": "ok" | "unusable", "cloud", "ledger"}; it really asks the ledger
    GET /v1/uploads/<id>    200 the record, as `core.record.describe` gives it; 404 if there is none

Errors are problem documents (RFC 9457) and never repeat what the client sent.
"""

import json
import os
import re
from collections.abc import Iterable
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from core.errors import StepError
from core.record import describe, from_fields
from handlers.settings import required
from handlers.wiring import connect

_UPLOAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_ROUTES = Map(
    [
        Rule("/v1/health", endpoint="health", methods=["GET"]),
        Rule("/v1/uploads/<upload_id>", endpoint="upload", methods=["GET"]),
    ]
)


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The WSGI application."""
    request = Request(environ)
    return _answer(request)(environ, start_response)


def _answer(request: Request) -> Response:
    try:
        endpoint, arguments = _ROUTES.bind_to_environ(request.environ).match()
        return _health() if endpoint == "health" else _upload(arguments["upload_id"])
    except HTTPException as error:
        return _problem(error.code or 500, error.name, headers=dict(error.get_headers()))
    except StepError:
        return _problem(503, "The ledger cannot be read now", headers={"Retry-After": "5"})


def _health() -> Response:
    cloud = required(os.environ, "SLUICE_CLOUD")
    try:
        connect(cloud).ledger.get("health")
    except StepError:
        return _json(503, {"status": "unusable", "cloud": cloud, "ledger": "unusable"})
    return _json(200, {"status": "ok", "cloud": cloud, "ledger": "ok"})


def _upload(upload_id: str) -> Response:
    if not _UPLOAD_ID.fullmatch(upload_id):
        return _problem(400, "An upload id is a UUID in lower case")
    row = connect(required(os.environ, "SLUICE_CLOUD")).ledger.get(upload_id)
    if row is None:
        return _problem(404, "There is no record of this upload")
    return _json(200, describe(from_fields(row.fields)))


def _json(status: int, body: dict[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(json.dumps(body), status=status, content_type="application/json", headers=headers)


def _problem(status: int, title: str, *, headers: dict[str, str] | None = None) -> Response:
    kept = {name: value for name, value in (headers or {}).items() if name in ("Allow", "Location", "Retry-After")}
    body = json.dumps({"type": "about:blank", "title": title, "status": status})
    return Response(body, status=status, content_type="application/problem+json", headers=kept)
