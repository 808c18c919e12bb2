"""This cloud, as its peers see it: what `core.peer.Peer` promises, done with this cloud's own services."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from core.errors import StepError, TransientError, UploadRejectedError
from core.peer import Look, RecordPage
from core.ports import Cloud, PresignedParts, PresignedPut, PutParts, Row
from core.probe import Probe
from core.reconcile import SETTLED, absorb
from core.record import Record, State, from_fields, to_fields
from core.route import Route, accept_route, read_route
from core.ticket import Ticket
from core.upload import Upload, is_api_key
from core.votes import Capability, Vote, vote_from_fields
from core.work_item import to_text

log = logging.getLogger("sluice")

VOTE_ROW = "vote"

# A lost race for a row means that somebody else moved it on; each round one of them succeeds.
_WRITE_TRIES = 5

# Whoever handed work over asks again and again until it is recorded.
_RESEND_AFTER_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One cloud.

    Attributes:
        initial: The route that holds before anybody made one.
        probe: Looks at the cloud's own services.
    """

    cloud: str
    services: Cloud
    initial: Route
    probe: Probe
    clock_ms: Callable[[], int]

    # The record first, so that this cloud's own function, which the object wakes, knows whose work it is:
    #
    #     no row ──> pending, home = the active cloud ──> object ──> event: a standby waits for `takeover_after_s`
    def keep(self, ticket: Ticket, body: BinaryIO) -> None:
        self._expect(ticket)
        found = self.services.store.put(ticket.key, body, size_bytes=ticket.size_bytes, if_absent=True)
        if found is None and not self.confirm(ticket):
            raise UploadRejectedError("another object stands under this upload's key")

    def presign(
        self, ticket: Ticket, *, content_type: str, valid_s: int, part_bytes: int = 0
    ) -> PresignedPut | PresignedParts:
        self._expect(ticket)
        if part_bytes:
            return self.services.store.presign_parts(
                ticket.key,
                size_bytes=ticket.size_bytes,
                content_type=content_type,
                part_bytes=part_bytes,
                valid_s=valid_s,
            )
        return self.services.store.presign_put(
            ticket.key, size_bytes=ticket.size_bytes, content_type=content_type, valid_s=valid_s
        )

    def confirm(self, ticket: Ticket, *, parts: PutParts | None = None) -> bool:
        info = self.services.store.find(ticket.key)
        if info is None and parts is not None:
            self._expect(ticket)  # before the object, as in `keep`
            try:
                info = self.services.store.join_parts(
                    ticket.key, handle=parts.handle, size_bytes=ticket.size_bytes, etags=parts.etags
                )
            except UploadRejectedError as error:  # nothing stands here; the client may put it again
                log.warning("upload %s: its parts cannot be joined: %s", ticket.upload_id, error)
        if info is None or info.size_bytes != ticket.size_bytes:
            return False
        self._expect(ticket)
        return True

    # Who works on an upload that was handed over, by the row here:
    #
    #     no row, or pending elsewhere ──> pending, home = here ──> work item ──> this cloud's function
    #     pending here ──> work item again, once a minute (the last one may be lost)       else: nothing to do
    #
    # A copy of this cloud's own has its event, or is found by a sweep, so one work item is enough for it. With more,
    # two clouds that both fail would give each other ever more work.
    def take_work(self, upload: Upload) -> State:
        own = self._own_copy(upload)
        has_copy = (own.cloud, own.bucket) == (self.cloud, self.services.store.bucket)
        if not has_copy and not own.url:
            raise TransientError("no copy stands here, and there is no URL to read the upload by")
        for _ in range(_WRITE_TRIES):
            row = self.services.ledger.get(upload.upload_id)
            known = from_fields(row.fields) if row else Record(upload=own, state=State.PENDING)
            if known.state is not State.PENDING:
                return known.state
            now_ms = self.clock_ms()
            if known.home == self.cloud and (has_copy or now_ms - known.accepted_at_ms < _RESEND_AFTER_MS):
                return State.PENDING
            accepted_at_ms = (known.accepted_at_ms or now_ms) if has_copy else now_ms
            if self._put(replace(known, home=self.cloud, accepted_at_ms=accepted_at_ms), row) is not None:
                break
        else:
            raise TransientError("too many others wrote the upload's record")
        self.services.work.send([to_text(own)])
        return State.PENDING

    def look(self) -> Look:
        checked = self.probe.check()
        vote, route = None, None
        failed = set(checked.failed)
        try:
            row = self.services.control.get(VOTE_ROW)
            vote = _read_vote(row) if row else None
            route = read_route(self.services.control, initial=self.initial)
        except StepError:
            failed.add(Capability.LEDGER)
        return Look(
            cloud=self.cloud,
            failed=tuple(sorted(failed)),
            vote=vote,
            route=route,
            work=checked.work,
            parked_count=checked.parked_count,
        )

    def offer_route(self, route: Route) -> Route:
        return accept_route(self.services.control, route)

    def records(self, *, after: str, limit: int) -> RecordPage:
        page = self.services.ledger.page(after=after, limit=limit)
        found = [from_fields(row.fields) for row in page.rows]
        return RecordPage(records=[record for record in found if record.state in SETTLED], after=page.after)

    def absorb(self, records: Sequence[Record]) -> int:
        return sum(absorb(self.services.ledger, record) for record in records)

    def _expect(self, ticket: Ticket) -> None:
        """Have a record of the upload stand, and be of this very upload."""
        bucket = self.services.store.bucket
        if self._put(ticket.pending(cloud=self.cloud, bucket=bucket), None) is not None:
            return
        row = self.services.ledger.get(ticket.upload_id)
        if row is None:
            raise TransientError("the ledger refused a new row and then had none")
        known = from_fields(row.fields)
        is_other_content = ticket.sha256 and known.sha256 and known.sha256 != ticket.sha256
        if known.upload.key != ticket.key or is_other_content:
            raise UploadRejectedError("another upload was made under this id: use a new idempotency key")

    def _own_copy(self, upload: Upload) -> Upload:
        """The upload as this cloud sees it: its own copy if it has one, or the one that the URL reads."""
        if not is_api_key(upload.key):
            return upload
        try:
            info = self.services.store.find(upload.key)
        except StepError:
            return upload
        if info is None:
            return upload
        own = replace(upload, cloud=self.cloud, bucket=self.services.store.bucket, url="")
        return replace(own, version=info.version, size_bytes=info.size_bytes, sequencer="")

    def _put(self, record: Record, row: Row | None) -> str | None:
        fields = to_fields(record)
        return self.services.ledger.put(record.upload.upload_id, fields, expect=row.version if row else None)


def _read_vote(row: Row) -> Vote | None:
    try:
        return vote_from_fields(row.fields)
    except ValueError:
        return None  # of another version; the next look writes it anew
