"""Another cloud as `core.peer.Peer`, over its HTTP API. Requests are signed (`core.signing`), answers are bounded."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, urlencode

from core.errors import OutcomeUnknownError, ProviderUnusableError, StepError, TransientError, UploadRejectedError
from core.peer import Look, RecordPage
from core.ports import PresignedParts, PresignedPut, PutParts
from core.record import Record, State
from core.route import Route
from core.signing import HEADER, PeerKeys, sign
from core.ticket import Ticket
from core.upload import Upload
from core.work_item import to_text
from handlers.peers.fields import FieldError, object_of, text
from handlers.peers.http_call import Answer, NoAnswerError, NoConnectionError, call
from handlers.peers.problem_types import REJECTIONS, name_of
from handlers.peers.wire import (
    RECORDS_MAX_BYTES,
    look_from_json,
    presigned_from_json,
    put_parts_to_json,
    records_from_json,
    records_to_json,
    route_from_json,
    route_to_json,
    signed_path,
    ticket_to_query,
)

_ANSWER_MAX_BYTES = 2 * RECORDS_MAX_BYTES
_PAGE_LIMIT = 1000
_PROBLEM = "application/problem+json"

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPeer:
    """One other cloud.

    Errors: no connection is a ProviderUnusableError; no answer an OutcomeUnknownError (a TransientError where nothing
    was to be written); 5xx and 429 are TransientErrors; 4xx an UploadRejectedError where the problem is the upload's,
    else a ProviderUnusableError. Their messages never quote what came.

    Attributes:
        sender: The cloud that calls.
        url: Of the peer's API, without a slash at its end.
        timeout_s: How long it may be silent.
    """

    cloud: str
    sender: str
    url: str
    keys: PeerKeys
    clock_ms: Callable[[], int]
    timeout_s: float = 5.0

    def keep(self, ticket: Ticket, body: BinaryIO) -> None:
        content = body.read(ticket.size_bytes + 1)
        if len(content) != ticket.size_bytes:
            raise TransientError(f"{self.cloud}: the body has not the {ticket.size_bytes} bytes of its ticket")
        answer = self._post(
            "/v1/copies", query=ticket_to_query(ticket), body=content, content_type="application/octet-stream"
        )
        if not self._read(lambda given: given["stands"] is True, answer):  # whatever says 200 to everything is no peer
            raise ProviderUnusableError(f"{self.cloud}: its answer does not say that the copy stands")

    def presign(
        self, ticket: Ticket, *, content_type: str, valid_s: int, part_bytes: int = 0
    ) -> PresignedPut | PresignedParts:
        query = [*ticket_to_query(ticket), ("content_type", content_type), ("valid_s", str(valid_s))]
        if part_bytes:
            query.append(("part_bytes", str(part_bytes)))
        return self._read(presigned_from_json, self._post("/v1/copies:presign", query=query))

    def confirm(self, ticket: Ticket, *, parts: PutParts | None = None) -> bool:
        body = json.dumps(put_parts_to_json(parts)).encode() if parts else b""
        answer = self._post("/v1/copies:confirm", query=ticket_to_query(ticket), body=body)
        return self._read(lambda given: given["stands"] is True, answer)

    def take_work(self, upload: Upload) -> State:
        answer = self._post("/v1/work", body=to_text(upload).encode())
        return self._read(lambda given: State(text(given, "state")), answer)

    def look(self) -> Look:
        look = self._read(look_from_json, self._call("GET", "/v1/health", expected=(200, 503)))
        if look.cloud != self.cloud:
            raise ProviderUnusableError(f"{self.cloud}: another cloud answers at its URL")
        return look

    def offer_route(self, route: Route) -> Route:
        body = json.dumps(route_to_json(route)).encode()
        answer = self._call("PUT", "/v1/route", body=body, expected=(200, 409))
        # Taken: it is what was offered, although a long reason is cut in the row.
        return route if answer.status == 200 else self._read(lambda given: route_from_json(given["held"]), answer)

    def records(self, *, after: str, limit: int) -> RecordPage:
        query = [("after", after), ("limit", str(min(limit, _PAGE_LIMIT)))]
        return self._read(_page, self._call("GET", "/v1/records", query=query, expected=(200,)))

    def absorb(self, records: Sequence[Record]) -> int:
        changed_count = 0
        for body in _bodies(records_to_json(records)):
            answer = self._post("/v1/records", body=body)
            changed_count += self._read(lambda given: int(given["changed_count"]), answer)
        return changed_count

    def _post(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "application/json",
    ) -> Answer:
        return self._call("POST", path, query=query, body=body, content_type=content_type, expected=(200,))

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "application/json",
        expected: Sequence[int],
    ) -> Answer:
        signature = sign(
            self.keys,
            method,
            signed_path(path, query),
            hashlib.sha256(body).hexdigest(),
            sender=self.sender,
            recipient=self.cloud,
            at_ms=self.clock_ms(),
            nonce=secrets.token_hex(16),
        )
        headers = {HEADER: signature}
        if method != "GET":
            headers |= {"Content-Type": content_type, "Content-Length": str(len(body))}
        url = f"{self.url}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        what = f"{self.cloud}: {method} {path}"
        try:
            answer = call(
                method, url, headers=headers, body=body, timeout_s=self.timeout_s, answer_max_bytes=_ANSWER_MAX_BYTES
            )
        except NoConnectionError as error:
            raise ProviderUnusableError(f"{what}: no connection ({error})") from error
        except NoAnswerError as error:
            lost = TransientError if method == "GET" else OutcomeUnknownError
            raise lost(f"{what}: no answer ({error})") from error
        # Of the answers that a caller expects only 409 comes as a problem document; a 503 as one tells nothing else.
        if answer.status in expected and (answer.content_type != _PROBLEM or answer.status == 409):
            return answer
        raise _refused(what, answer)

    def _read(self, read: Callable[[dict[str, Any]], Read], answer: Answer) -> Read:
        try:
            return read(object_of(answer.body))
        except (FieldError, KeyError, TypeError, ValueError) as error:
            raise ProviderUnusableError(f"{self.cloud}: its answer is not what this version reads") from error


def _refused(what: str, answer: Answer) -> StepError:
    name = name_of(answer.body) if answer.content_type == _PROBLEM else ""
    said = f"{what}: {answer.status} {name}".rstrip()
    if answer.status >= 500 or answer.status == 429:
        return TransientError(said)
    if 400 <= answer.status < 500 and name in REJECTIONS:
        return UploadRejectedError(said)
    return ProviderUnusableError(said)


def _page(given: Mapping[str, Any]) -> RecordPage:
    return RecordPage(records=records_from_json(given["records"]), after=text(given, "after"))


def _bodies(records: Sequence[dict[str, Any]]) -> list[bytes]:
    """The records in as few requests as the limit allows; a record alone is always below it."""
    texts = [json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() for record in records]
    batches: list[list[bytes]] = [[]]
    size_bytes = 0
    for each in texts:
        if size_bytes + len(each) + 1 > RECORDS_MAX_BYTES - 64 and batches[-1]:
            batches.append([])
            size_bytes = 0
        batches[-1].append(each)
        size_bytes += len(each) + 1
    return [b'{"records":[' + b",".join(batch) + b"]}" for batch in batches if batch]
