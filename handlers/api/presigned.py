"""Clients' endpoints for uploads that the client puts itself, where presigned URLs say."""

from werkzeug.wrappers import Request, Response

from core.ingest import NotEnoughCopiesError, complete, in_order, presign
from core.ticket import SIZE_MAX_BYTES, Ticket
from handlers.api.answers import as_json
from handlers.api.authentication import client_of
from handlers.api.front import Front
from handlers.api.reading import query_of, read_body
from handlers.api.tickets import (
    copies_asked,
    failed_cloud,
    logged,
    make_ticket,
    note_failure,
    receipt_to_json,
    ticket_to_json,
    upload_id_for,
)
from handlers.peers.fields import CONTENT_TYPE, SHA256, FieldError, matching, number, object_of, only, text
from handlers.peers.wire import TICKET_FIELDS, presigned_to_json, ticket_from

PRESIGN_VALID_S = 3600
TICKET_VALID_S = 7 * 24 * 3600
_CLOCK_SKEW_MS = 300_000
_JSON_MAX_BYTES = 16 * 1024


def presign_upload(front: Front, request: Request) -> Response:
    """Tell where a client may put the copies."""
    upload_id, failed = upload_id_for(request, client=client_of(front, request)), failed_cloud(request)
    query_of(request, ())
    given = object_of(read_body(request, max_bytes=_JSON_MAX_BYTES).content)
    only(given, ("name", "size_bytes", "sha256", "content_type", "copies"))
    copies = copies_asked(front, given)
    content_type = matching(given, "content_type", CONTENT_TYPE, "as in text/plain", "application/octet-stream")
    ticket = make_ticket(
        front,
        upload_id=upload_id,
        name=text(given, "name"),
        size_bytes=number(given, "size_bytes", high=SIZE_MAX_BYTES),
        sha256=matching(given, "sha256", SHA256, "64 hexadecimal digits in lower case", ""),
        failed=failed,
    )
    peers = in_order(front.peers, front.last_route(), own=front.cloud, failed=failed)
    try:
        puts = presign(
            ticket,
            peers=peers,
            copies=copies,
            content_type=content_type,
            valid_s=PRESIGN_VALID_S,
            gather=front.gather,
        )
    except NotEnoughCopiesError as error:
        raise logged(ticket, error) from error
    finally:
        note_failure(front, failed)
    targets = {cloud: presigned_to_json(put) for cloud, put in puts.items()}
    answer = {"ticket": ticket_to_json(ticket), "copies": copies, "valid_s": PRESIGN_VALID_S, "targets": targets}
    return as_json(200, answer)


def complete_upload(front: Front, request: Request, upload_id: str) -> Response:
    """Acknowledge a presigned upload, once its copies stand. Any cloud can: the client brings the ticket back."""
    client_of(front, request)
    query_of(request, ())
    given = object_of(read_body(request, max_bytes=_JSON_MAX_BYTES).content)
    only(given, ("ticket", "copies"))
    copies, ticket = copies_asked(front, given), _ticket_of(front, given.get("ticket"), upload_id)
    peers = in_order(front.peers, front.last_route(), own=front.cloud)
    try:
        receipt = complete(ticket, peers=peers, copies=copies, gather=front.gather)
    except NotEnoughCopiesError as error:
        raise logged(ticket, error) from error
    return as_json(200, receipt_to_json(receipt))


def _ticket_of(front: Front, given: object, upload_id: str) -> Ticket:
    if not isinstance(given, dict):
        raise FieldError("ticket must be the object that :presign gave")
    only(given, TICKET_FIELDS)
    ticket = ticket_from(given)
    if ticket.upload_id != upload_id or ticket.home not in front.settings.order:
        raise FieldError("ticket must be the one that :presign gave for this upload")
    age_ms = front.site.clock_ms() - ticket.accepted_at_ms
    if not -_CLOCK_SKEW_MS <= age_ms <= TICKET_VALID_S * 1000:
        raise FieldError(f"ticket.accepted_at_ms must be of the last {TICKET_VALID_S} s")
    return ticket
