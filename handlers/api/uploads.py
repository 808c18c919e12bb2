"""Clients' endpoints: an upload with its content, and what became of uploads."""

from typing import Any

from werkzeug.wrappers import Request, Response

from core.ingest import NotEnoughCopiesError, in_order, ingest
from core.record import describe, from_fields
from handlers.api.answers import as_json, decode_cursor, encode_cursor, page_that_fits
from handlers.api.authentication import client_of
from handlers.api.front import Front
from handlers.api.problems import Problem
from handlers.api.reading import check_digests, query_of, read_body
from handlers.api.tickets import (
    copies_asked,
    failed_cloud,
    logged,
    make_ticket,
    note_failure,
    receipt_to_json,
    upload_id_for,
)
from handlers.peers.fields import number, text

_PAGE_LIMIT = 1000
_WAY_OUT = ", because a copy must pass through every cloud's functions; for more: POST /v1/uploads:presign"


def post_upload(front: Front, request: Request) -> Response:
    """Take an upload in, with its content in the body."""
    upload_id, failed = upload_id_for(request, client=client_of(front, request)), failed_cloud(request)
    query = query_of(request, ("name", "copies"))
    name, copies = text(query, "name"), copies_asked(front, query)
    make_ticket(front, upload_id=upload_id, name=name)  # refuses a name before the body is read
    body = read_body(request, max_bytes=front.settings.body_max_bytes, way_out=_WAY_OUT)
    check_digests(request, body.sha256)
    ticket = make_ticket(
        front, upload_id=upload_id, name=name, size_bytes=len(body.content), sha256=body.sha256, failed=failed
    )
    peers = in_order(front.peers, front.last_route(), own=front.cloud, failed=failed)
    try:
        receipt = ingest(ticket, body.open, peers=peers, copies=copies, gather=front.gather)
    except NotEnoughCopiesError as error:
        raise logged(ticket, error) from error
    finally:
        note_failure(front, failed)
    return as_json(201, receipt_to_json(receipt), headers={"Location": f"/v1/uploads/{ticket.upload_id}"})


def get_upload(front: Front, request: Request, upload_id: str) -> Response:
    """What this cloud's ledger knows of an upload."""
    client_of(front, request)
    query_of(request, ())
    row = front.site.services.ledger.get(upload_id)
    if row is None:
        raise Problem("not-found", "this cloud has no record of the upload")
    return as_json(200, describe(from_fields(row.fields)))


def list_uploads(front: Front, request: Request) -> Response:
    """A page of records; `after` of the answer asks for the next one, "" says that there is none."""
    client_of(front, request)
    query = query_of(request, ("after", "limit"))
    limit = number(query, "limit", 100, low=1, high=_PAGE_LIMIT)
    after = decode_cursor(text(query, "after", ""))

    def read(limit: int) -> dict[str, Any]:
        page = front.site.services.ledger.page(after=after, limit=limit)
        records = [describe(from_fields(row.fields)) for row in page.rows]
        return {"records": records, "after": encode_cursor(page.after)}

    return page_that_fits(read, limit=limit)
