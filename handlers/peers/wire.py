"""What clouds send each other over HTTP, as JSON and queries; both ends use it (`http_peer`, `api.peer_endpoints`).

Whatever is read here may be hostile or of another version: `handlers.peers.fields.FieldError` names the field.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import quote, urlencode

from core.errors import UploadRejectedError
from core.parts import PART_MAX_COUNT, SIZE_MAX_BYTES
from core.peer import Look
from core.ports import Depth, PresignedParts, PresignedPut, PutParts
from core.reconcile import SETTLED
from core.record import Record, State, from_fields, to_fields
from core.route import REASON_MAX_CHARS, Route, route_from_fields, route_to_fields
from core.ticket import PUT_MAX_BYTES, Ticket, check_ticket
from core.upload import Upload
from core.votes import Capability, Vote, vote_from_fields, vote_to_fields
from core.work_item import WIRE_VERSION, from_payload
from handlers.peers.fields import CLOUD, SHA256, FieldError, matching, number, object_of, only, text, upload_id

RECORDS_MAX_BYTES = 1024 * 1024  # of a page, and of a request
WORK_MAX_BYTES = 48_000  # what a queue holds
KEY_MAX_BYTES = 1024
PARTS_MAX_BYTES = 16 * 1024  # what a client says it has put in one cloud

_HANDLE = re.compile(r"[\x21-\x7e]{1,2048}")
_ETAG = re.compile(r"[\x20-\x7e]{0,256}")

TICKET_FIELDS = ("upload_id", "name", "size_bytes", "sha256", "home", "accepted_at_ms")
_ROUTE_FIELDS = (
    "wire",
    "active",
    "order",
    "epoch",
    "pinned",
    "held_until_at_ms",
    "flap_count",
    "reason",
    "changed_at_ms",
)
_SIGHTING = {"recorded_at_ms", "recorded_by", "sha256", "size_bytes"}
_RECORD_TEXTS = (
    *("upload_id", "cloud", "bucket", "key", "version", "state", "sequencer", "owner", "reason", "sha256"),
    *("content_type", "facts", "recorded_by", "derived_from", "conflicts", "home"),
)
_RECORD_NUMBERS = (
    *("wire", "attempt", "lease_until_at_ms", "recorded_at_ms", "size_bytes", "declared_size_bytes", "accepted_at_ms"),
)


def signed_path(path: str, query: Sequence[tuple[str, str]]) -> str:
    """The path as it is signed: decoded, with its query in an order and an encoding that no gateway can change."""
    return f"{path}?{urlencode(sorted(query), quote_via=quote)}" if query else path


def ticket_to_query(ticket: Ticket) -> list[tuple[str, str]]:
    return [(name, str(getattr(ticket, name))) for name in TICKET_FIELDS]


def ticket_from(given: Mapping[str, Any]) -> Ticket:
    """Read a ticket from a query or a JSON object; other fields in it are left out."""
    ticket = Ticket(
        upload_id=upload_id(given),
        name=text(given, "name"),
        size_bytes=number(given, "size_bytes", high=SIZE_MAX_BYTES),
        sha256=text(given, "sha256", ""),
        home=matching(given, "home", CLOUD, "a cloud's name"),
        accepted_at_ms=number(given, "accepted_at_ms"),
    )
    try:
        return check_ticket(ticket)
    except UploadRejectedError as error:
        raise FieldError(str(error)) from error


def check_put_size(size_bytes: int) -> None:
    """Refuse what no cloud takes at once."""
    if size_bytes > PUT_MAX_BYTES:
        raise FieldError(f"size_bytes must be up to {PUT_MAX_BYTES}, or the upload in parts")


def presigned_to_json(put: PresignedPut | PresignedParts) -> dict[str, Any]:
    if isinstance(put, PresignedParts):
        return {"handle": put.handle, "parts": [presigned_to_json(part) for part in put.parts]}
    return {"url": put.url, "headers": dict(put.headers)}


def presigned_from_json(given: Mapping[str, Any]) -> PresignedPut | PresignedParts:
    if "parts" not in given:
        return _put_from_json(given)
    handle, parts = matching(given, "handle", _HANDLE, "printable ASCII"), given["parts"]
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise FieldError("parts must be a list of objects")
    return PresignedParts(handle=handle, parts=[_put_from_json(part) for part in parts])


def put_parts_to_json(parts: PutParts) -> dict[str, Any]:
    return {"handle": parts.handle, "etags": list(parts.etags)}


def put_parts_from_json(given: Any) -> PutParts:
    if not isinstance(given, dict):
        raise FieldError("parts must be an object with handle and etags")
    only(given, ("handle", "etags"))
    etags = given.get("etags")
    if not isinstance(etags, list) or not 1 <= len(etags) <= PART_MAX_COUNT:
        raise FieldError(f"etags must be a list of 1 to {PART_MAX_COUNT}")
    kept = [matching({"etags": etag}, "etags", _ETAG, "printable ASCII") for etag in etags]
    return PutParts(handle=matching(given, "handle", _HANDLE, "what :presign gave"), etags=kept)


def _put_from_json(given: Mapping[str, Any]) -> PresignedPut:
    headers = given.get("headers")
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise FieldError("headers must be an object of texts")
    return PresignedPut(url=text(given, "url"), headers=headers)


def work_from(body: bytes) -> Upload:
    """Read a work item (`core.work_item`)."""
    payload = object_of(body)
    if payload.get("sluice") != WIRE_VERSION:
        raise FieldError(f"sluice must be {WIRE_VERSION}: the format of work items")
    try:
        upload = from_payload(payload)
    except UploadRejectedError as error:
        raise FieldError(str(error)) from error
    given = asdict(upload)
    upload_id(given)
    matching(given, "cloud", CLOUD, "a cloud's name")
    for name in ("version", "sequencer"):
        text(given, name, max_chars=1024)
    _check_place(given)
    text(given, "url", max_chars=8192)
    return upload


def route_to_json(route: Route) -> dict[str, Any]:
    fields: dict[str, Any] = dict(route_to_fields(route))
    del fields["clouds"]
    return fields | {"order": list(route.order), "pinned": route.pinned}


def route_from_json(given: Any) -> Route:
    if not isinstance(given, dict):
        raise FieldError("a route must be an object")
    only(given, _ROUTE_FIELDS)
    order, pinned = given.get("order"), given.get("pinned", False)
    if not isinstance(order, list) or not all(isinstance(name, str) and CLOUD.fullmatch(name) for name in order):
        raise FieldError("order must be a list of clouds' names")
    if type(pinned) is not bool:
        raise FieldError("pinned must be true or false")
    fields: dict[str, str | int] = {"clouds": json.dumps(order), "pinned": int(pinned), "wire": number(given, "wire")}
    fields["active"] = matching(given, "active", CLOUD, "a cloud's name")
    fields["reason"] = text(given, "reason", "", max_chars=REASON_MAX_CHARS)
    for name in ("epoch", "held_until_at_ms", "flap_count", "changed_at_ms"):
        fields[name] = number(given, name, 0)
    try:
        return route_from_fields(fields)
    except ValueError as error:
        raise FieldError("active must be one of order, which names each cloud once, and wire be known") from error


def look_to_json(look: Look) -> dict[str, Any]:
    return {
        "status": "unusable" if look.failed else "ok",
        "cloud": look.cloud,
        "failed": list(look.failed),
        "vote": dict(vote_to_fields(look.vote)) if look.vote else None,
        "route": route_to_json(look.route) if look.route else None,
        "work": asdict(look.work) if look.work else None,
        "parked_count": look.parked_count,
    }


def look_from_json(given: Mapping[str, Any]) -> Look:
    failed, work = given.get("failed"), given.get("work")
    if not isinstance(failed, list) or not set(map(str, failed)) <= set(Capability):
        raise FieldError("failed must be a list of capabilities")
    depth = None
    if isinstance(work, dict):
        depth = Depth(visible_count=number(work, "visible_count"), in_flight_count=number(work, "in_flight_count"))
    return Look(
        cloud=matching(given, "cloud", CLOUD, "a cloud's name"),
        failed=tuple(sorted(Capability(name) for name in failed)),
        vote=_vote(given.get("vote")),
        route=route_from_json(given["route"]) if given.get("route") else None,
        work=depth,
        parked_count=None if given.get("parked_count") is None else number(given, "parked_count"),
    )


def _vote(given: Any) -> Vote | None:
    """As `core.site` reads its own: a vote of another version counts as none."""
    if not isinstance(given, dict):
        return None
    try:
        return vote_from_fields(given)
    except ValueError:
        return None


def records_to_json(records: Sequence[Record]) -> list[dict[str, Any]]:
    return [dict(to_fields(record)) for record in records]


def records_from_json(given: Any) -> list[Record]:
    """Read records; only settled ones are anybody else's business."""
    if not isinstance(given, list):
        raise FieldError("records must be a list")
    return [_record(each) for each in given]


def _record(given: Any) -> Record:
    if not isinstance(given, dict):
        raise FieldError("records must be objects")
    fields: dict[str, str | int] = {name: text(given, name) for name in _RECORD_TEXTS if name in given}
    fields |= {name: number(given, name) for name in _RECORD_NUMBERS if name in given}
    upload_id(fields)
    for name in ("cloud", "recorded_by", "home"):
        matching(fields, name, CLOUD, "a cloud's name", default=None if name == "cloud" else "")
    _check_place(fields)
    if fields.get("state") not in SETTLED:
        raise FieldError("state must be one of " + ", ".join(sorted(SETTLED)))
    is_recorded = fields["state"] == State.RECORDED
    matching(fields, "sha256", SHA256, "64 hexadecimal digits in lower case", default=None if is_recorded else "")
    _check_facts(fields)
    try:
        return from_fields(fields)
    except (ValueError, KeyError) as error:
        raise FieldError("wire must be of a known format, and no field of it be missing") from error


def _check_place(fields: Mapping[str, Any]) -> None:
    if not text(fields, "bucket", max_chars=1024):  # a row without one could not be read back
        raise FieldError("bucket must not be empty")
    if not 1 <= len(text(fields, "key").encode()) <= KEY_MAX_BYTES:
        raise FieldError(f"key must have 1 to {KEY_MAX_BYTES} bytes of UTF-8")


def _check_facts(fields: Mapping[str, Any]) -> None:
    try:
        facts, conflicts = json.loads(fields.get("facts", "{}")), json.loads(fields.get("conflicts", "[]"))
    except (ValueError, RecursionError) as error:
        raise FieldError("facts and conflicts must be JSON") from error
    if not isinstance(facts, dict):
        raise FieldError("facts must be a JSON object")
    if not isinstance(conflicts, list) or not all(isinstance(c, dict) and set(c) == _SIGHTING for c in conflicts):
        raise FieldError("conflicts must be a list of recordings")
    for conflict in conflicts:
        number(conflict, "recorded_at_ms")
        number(conflict, "size_bytes")
        matching(conflict, "recorded_by", CLOUD, "a cloud's name")
        matching(conflict, "sha256", SHA256, "64 hexadecimal digits in lower case")
