"""What other clouds ask of this one: `core.peer.Peer` over HTTP, signed. `handlers.peers.http_peer` asks."""

from dataclasses import replace
from typing import Any

from werkzeug.wrappers import Request, Response

from core.parts import PART_MAX_BYTES, part_bytes_for
from handlers.api.answers import as_json, page_that_fits
from handlers.api.authentication import body_of_peer
from handlers.api.front import Front
from handlers.api.problems import Problem
from handlers.api.reading import query_of
from handlers.peers.fetch_url import is_allowed
from handlers.peers.fields import CONTENT_TYPE, FieldError, matching, number, object_of, only, text
from handlers.peers.wire import (
    PARTS_MAX_BYTES,
    RECORDS_MAX_BYTES,
    TICKET_FIELDS,
    WORK_MAX_BYTES,
    check_put_size,
    presigned_to_json,
    put_parts_from_json,
    records_from_json,
    records_to_json,
    route_from_json,
    route_to_json,
    ticket_from,
    work_from,
)

_PRESIGN_MAX_S = 7 * 24 * 3600  # S3, signature version 4
_ROUTE_MAX_BYTES = 16 * 1024
_PAGE_LIMIT = 1000


def keep_copy(front: Front, request: Request) -> Response:
    """Hold a copy: the ticket stands in the query, the content in the body."""
    body = body_of_peer(front, request, max_bytes=front.settings.body_max_bytes)
    ticket = ticket_from(query_of(request, TICKET_FIELDS))
    if ticket.size_bytes != len(body.content) or ticket.sha256 not in ("", body.sha256):
        raise Problem("digest-mismatch", "the body is not what its ticket says")
    front.site.keep(ticket, body.open())
    return as_json(200, {"stands": True})


def presign_copy(front: Front, request: Request) -> Response:
    """Let a client put the copy itself."""
    body_of_peer(front, request, max_bytes=0)
    query = query_of(request, (*TICKET_FIELDS, "content_type", "valid_s", "part_bytes"))
    ticket = ticket_from(query)
    valid_s = number(query, "valid_s", low=1, high=_PRESIGN_MAX_S)
    content_type = matching(query, "content_type", CONTENT_TYPE, "as in text/plain")
    part_bytes = 0
    if "part_bytes" in query:
        part_bytes = number(query, "part_bytes", low=part_bytes_for(ticket.size_bytes), high=PART_MAX_BYTES)
        if not ticket.size_bytes:
            raise FieldError("size_bytes must be 1 or more: nothing has no parts")
    else:
        check_put_size(ticket.size_bytes)
    put = front.site.presign(ticket, content_type=content_type, valid_s=valid_s, part_bytes=part_bytes)
    return as_json(200, presigned_to_json(put))


def confirm_copy(front: Front, request: Request) -> Response:
    """Tell whether a copy stands; the body, if there is one, says which parts to join."""
    body = body_of_peer(front, request, max_bytes=PARTS_MAX_BYTES)
    ticket = ticket_from(query_of(request, TICKET_FIELDS))
    parts = put_parts_from_json(object_of(body.content)) if body.content else None
    return as_json(200, {"stands": front.site.confirm(ticket, parts=parts)})


def take_work(front: Front, request: Request) -> Response:
    """Take an upload to process that another cloud cannot."""
    body = body_of_peer(front, request, max_bytes=WORK_MAX_BYTES)
    query_of(request, ())
    upload = work_from(body.content)
    if upload.cloud == front.cloud:
        upload = replace(upload, url="")  # it is our own, and read from our own bucket
    elif upload.url and not is_allowed(upload.url, front.settings.origins):
        raise Problem("foreign-url")
    return as_json(200, {"state": front.site.take_work(upload).value})


def put_route(front: Front, request: Request) -> Response:
    """Take a route, or tell which one is held instead."""
    body = body_of_peer(front, request, max_bytes=_ROUTE_MAX_BYTES)
    query_of(request, ())
    route = route_from_json(object_of(body.content))
    if front.cloud not in route.order:
        raise FieldError("order must name this cloud, too")
    held = front.offer_route(route)
    if held != route:
        raise Problem("route-held", held=route_to_json(held))
    return as_json(200, route_to_json(held))


def list_records(front: Front, request: Request) -> Response:
    """A page of settled records."""
    body_of_peer(front, request, max_bytes=0)
    query = query_of(request, ("after", "limit"))
    after = text(query, "after", "")

    def read(limit: int) -> dict[str, Any]:
        page = front.site.records(after=after, limit=limit)
        return {"records": records_to_json(page.records), "after": page.after}

    return page_that_fits(read, limit=number(query, "limit", 100, low=1, high=_PAGE_LIMIT))


def absorb_records(front: Front, request: Request) -> Response:
    """Merge settled records into this cloud's ledger."""
    body = body_of_peer(front, request, max_bytes=RECORDS_MAX_BYTES)
    query_of(request, ())
    given = object_of(body.content)
    only(given, ("records",))
    return as_json(200, {"changed_count": front.site.absorb(records_from_json(given.get("records")))})
