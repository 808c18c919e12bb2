"""Clients' endpoints for uploads that the client puts itself, where presigned URLs say."""

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from core.ingest import NotEnoughCopiesError, complete, in_order, presign
from core.parts import SIZE_MAX_BYTES, part_bytes_for
from core.ports import PutParts
from core.ticket import Ticket
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
from handlers.peers.fields import CLOUD, CONTENT_TYPE, SHA256, FieldError, matching, number, object_of, only, text
from handlers.peers.wire import TICKET_FIELDS, check_put_size, presigned_to_json, put_parts_from_json, ticket_from

PRESIGN_VALID_S = 3600
TICKET_VALID_S = 7 * 24 * 3600
_CLOCK_SKEW_MS = 300_000
_JSON_MAX_BYTES = 64 * 1024  # the parts of several clouds


def presign_upload(front: Front, request: Request) -> Response:
    """Tell where a client may put the copies."""
    upload_id, failed = upload_id_for(request, client=client_of(front, request)), failed_cloud(request)
    query_of(request, ())
    given = object_of(read_body(request, max_bytes=_JSON_MAX_BYTES).content)
    only(given, ("name", "size_bytes", "sha256", "content_type", "copies", "parts"))
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
    part_bytes = _part_bytes(given, ticket)
    peers = in_order(front.peers, front.last_route(), own=front.cloud, failed=failed)
    try:
        puts = presign(
            ticket,
            peers=peers,
            copies=copies,
            content_type=content_type,
            valid_s=PRESIGN_VALID_S,
            gather=front.gather,
            part_bytes=part_bytes,
        )
    except NotEnoughCopiesError as error:
        raise logged(ticket, error) from error
    finally:
        note_failure(front, failed)
    targets = {cloud: presigned_to_json(put) for cloud, put in puts.items()}
    answer = {"ticket": ticket_to_json(ticket), "copies": copies, "valid_s": PRESIGN_VALID_S, "targets": targets}
    if part_bytes:
        answer["part_bytes"] = part_bytes
    return as_json(200, answer)


def complete_upload(front: Front, request: Request, upload_id: str) -> Response:
    """Acknowledge a presigned upload, once its copies stand. Any cloud can: the client brings the ticket back."""
    client_of(front, request)
    query_of(request, ())
    given = object_of(read_body(request, max_bytes=_JSON_MAX_BYTES).content)
    only(given, ("ticket", "copies", "parts"))
    parts = _put_parts(given.get("parts", {}))
    copies, ticket = copies_asked(front, given), _ticket_of(front, given.get("ticket"), upload_id)
    peers = in_order(front.peers, front.last_route(), own=front.cloud)
    try:
        receipt = complete(ticket, peers=peers, copies=copies, gather=front.gather, parts=parts)
    except NotEnoughCopiesError as error:
        raise logged(ticket, error) from error
    return as_json(200, receipt_to_json(receipt))


def _part_bytes(given: Mapping[str, Any], ticket: Ticket) -> int:
    """The size of the parts, if the client asks for some; else 0."""
    wants_parts = given.get("parts", False)
    if type(wants_parts) is not bool:
        raise FieldError("parts must be true or false")
    if not wants_parts:
        check_put_size(ticket.size_bytes)
        return 0
    if not ticket.size_bytes:
        raise FieldError("size_bytes must be 1 or more: nothing has no parts")
    return part_bytes_for(ticket.size_bytes)


def _put_parts(given: object) -> dict[str, PutParts]:
    """What the client has put in parts, by cloud."""
    if not isinstance(given, dict) or not all(CLOUD.fullmatch(cloud) for cloud in given):
        raise FieldError("parts must be an object: by cloud, handle and etags")
    return {cloud: put_parts_from_json(parts) for cloud, parts in given.items()}


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
