"""From a client's request to the ticket of its upload, and from there to its receipt."""

import logging
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from werkzeug.wrappers import Request

from core.errors import StepError
from core.evidence import report_failure
from core.ingest import NotEnoughCopiesError, Receipt
from core.ticket import Ticket, upload_id_of_request
from core.upload import is_api_key
from handlers.api.front import Front
from handlers.peers.fields import CLOUD, FieldError, number
from handlers.peers.wire import TICKET_FIELDS, ticket_from

log = logging.getLogger("sluice")

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def upload_id_for(request: Request, *, client: str) -> str:
    """The id of the upload that a request makes: with an Idempotency-Key the same at every cloud."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return str(uuid.uuid4())
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise FieldError("Idempotency-Key must be 1 to 255 visible ASCII characters")
    return upload_id_of_request(client=client, idempotency_key=key)


def failed_cloud(request: Request) -> str:
    """The cloud that the client could not use before it came here; "" if there is none."""
    failed = request.headers.get("Sluice-Failed")
    if failed is not None and not CLOUD.fullmatch(failed):
        raise FieldError("Sluice-Failed must be a cloud's name")
    return failed or ""


def note_failure(front: Front, failed: str) -> None:
    """Count a client's failure with another cloud as evidence. Losing it does no harm."""
    others = front.settings.peers
    if failed in others:
        with suppress(StepError):
            report_failure(front.site.services.control, cloud=failed, clouds=others, at_ms=front.site.clock_ms())


def copies_asked(front: Front, given: Mapping[str, Any]) -> int:
    """In how many clouds the upload is to stand."""
    return number(given, "copies", front.settings.copies, low=1, high=len(front.settings.order))


def make_ticket(
    front: Front, *, upload_id: str, name: str, size_bytes: int = 0, sha256: str = "", failed: str = ""
) -> Ticket:
    """The checked ticket. Its home is the active cloud, or this one if the client could not use that."""
    active = front.last_route().active
    ticket = Ticket(
        upload_id=upload_id,
        name=name,
        size_bytes=size_bytes,
        sha256=sha256,
        home=front.cloud if failed == active else active,
        accepted_at_ms=front.site.clock_ms(),
    )
    checked = ticket_from(ticket_to_json(ticket))
    assert is_api_key(checked.key), "a checked name makes a key that shows the upload's id"
    return checked


def ticket_to_json(ticket: Ticket) -> dict[str, Any]:
    return {name: getattr(ticket, name) for name in TICKET_FIELDS}


def receipt_to_json(receipt: Receipt) -> dict[str, Any]:
    return ticket_to_json(receipt.ticket) | {"key": receipt.ticket.key, "copies": sorted(receipt.copies)}


def logged(ticket: Ticket, error: NotEnoughCopiesError) -> NotEnoughCopiesError:
    """The error; the log says which clouds hold no copy and why, which is nobody else's business."""
    log.warning("upload %s is not acknowledged: %s; %s", ticket.upload_id, error, error.missing)
    return error
