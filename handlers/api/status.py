"""What a cloud tells of itself: whether it serves, how it is, which route it holds, and what its API is."""

from functools import cache
from pathlib import Path

from werkzeug.wrappers import Request, Response

from core.errors import StepError
from handlers.api.answers import as_json
from handlers.api.authentication import client_of, require_client_or_peer
from handlers.api.front import Front
from handlers.api.problems import Problem
from handlers.api.reading import query_of
from handlers.peers.wire import look_to_json, route_to_json


def serving(front: Front, request: Request) -> Response:
    """For health checks of DNS services: whether clients shall be sent here. Open to everybody."""
    query_of(request, ())
    try:
        is_active = front.route().active == front.cloud
    except StepError:
        is_active = False
    if not is_active:
        raise Problem("not-active")
    return as_json(200, {"cloud": front.cloud, "serving": True})


def health(front: Front, request: Request) -> Response:
    """How this cloud finds itself, through the paths that uploads take."""
    require_client_or_peer(front, request)
    query_of(request, ())
    look = front.look()
    headers = {"Retry-After": "5"} if look.failed else {}
    return as_json(503 if look.failed else 200, look_to_json(look), headers=headers)


def get_route(front: Front, request: Request) -> Response:
    """The route that this cloud holds."""
    client_of(front, request)
    query_of(request, ())
    return as_json(200, route_to_json(front.route()))


def openapi(_front: Front, request: Request) -> Response:
    """The API's description (OpenAPI 3.1)."""
    query_of(request, ())
    return Response(_openapi(), content_type="application/json", headers={"Cache-Control": "max-age=300"})


@cache
def _openapi() -> bytes:
    return Path(__file__).with_name("openapi.json").read_bytes()
