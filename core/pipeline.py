"""One upload, from its event to its record: claim, fetch, apply, confirm. Acknowledging comes after, in `core.worker`.

Whatever happens between two steps, the ledger and the queue together still know of the upload:

    claim ──> fetch + apply ──> confirm ──> (acknowledge)
      │             │              └ lost race: somebody took the claim over; theirs counts, ours is discarded
      │             └ failed: the claim is given back (retry), or becomes parked or gone
      └ a live claim of somebody else: the message is kept, because that worker may crash
"""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from core.deletions import was_deleted
from core.errors import HandlingError, OutcomeUnknownError, StepError, TransientError, UploadRejectedError
from core.facts import checked_facts
from core.outcome import Ending, Outcome, Try
from core.ports import Absence, Ledger, ObjectStore, OpenObject, Row
from core.record import Record, State, record_of, to_fields
from core.retry import RetryPolicy, Verdict, decide, is_for_another
from core.stream import CHUNK_BYTES, MeasuredStream
from core.upload import Upload

HandleUpload = Callable[[Upload, BinaryIO], dict[str, Any] | None]
FetchUrl = Callable[[str], AbstractContextManager[OpenObject | Absence]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    record: Record
    row_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The steps, and what they stand on.

    Attributes:
        cloud: Where this code runs; it stands in the records that it makes.
        handle_upload: The user's function (handlers/logic.py says what it may rely on).
        clock_ms: UTC epoch milliseconds.
        lease_margin_s: How much longer than the function a claim holds; more than the skew between workers' clocks.
        reserve_ms: Time that is kept for confirming or giving back; no step starts with less than this left.
        fetch_url: Reads what another cloud handed over; None where no cloud does.
        takeover_after_s: How long an upload that is another cloud's to process is left to it.
    """

    cloud: str
    store: ObjectStore
    ledger: Ledger
    handle_upload: HandleUpload
    clock_ms: Callable[[], int]
    policy: RetryPolicy
    lease_margin_s: int = 10
    reserve_ms: int = 2_000
    fetch_url: FetchUrl | None = None
    takeover_after_s: int = 120

    def process(self, this: Try) -> Outcome:
        """Bring one upload to its record, or tell when to try again, or why to park it."""
        if not self._is_own(this.upload) and not (this.upload.url and self.fetch_url):
            where = f"{self.cloud} bucket {self.store.bucket}"
            return Outcome(
                ending=Ending.PARK, reason=f"the event is not of the bucket that this function reads ({where})"
            )
        try:
            self._require_time(this)
            claim = self._claim(this)
        except StepError as error:
            return self._retry(this, error)
        if isinstance(claim, Outcome):
            return claim
        try:
            return self._confirm(claim, self._fetch_and_apply(this, claim.record))
        except StepError as error:
            return self._give_up(this, claim, error)

    # Who may move a row, and when (t = lease_until_at_ms of the claim that stands):
    #
    #     no row ──────────────> claimed by A ──────── t ────────> claimed by B ──> recorded by B
    #        expect=None: of several     before t only A may write        A's late confirm expects its own
    #        creators exactly one wins   (nobody else tries)              claim's version: lost, discarded
    def _claim(self, this: Try) -> _Claim | Outcome:
        record = Record(
            upload=this.upload,
            state=State.CLAIMED,
            attempt=1,
            owner=this.owner,
            lease_until_at_ms=this.deadline_at_ms + self.lease_margin_s * 1000,
        )
        version = self._put(record, expect=None)
        if version is not None:
            return _Claim(record=record, row_version=version)
        row = self.ledger.get(this.upload.upload_id)
        if row is None:
            raise TransientError("the ledger refused a new row and then had none")
        return self._claim_known(this, record, row)

    def _claim_known(self, this: Try, claim: Record, row: Row) -> _Claim | Outcome:
        known = record_of(row)
        now_ms = self.clock_ms()
        if known.state is State.RECORDED:
            return self._duplicate(this, known, row)
        if known.state is State.CLAIMED and known.lease_until_at_ms > now_ms:
            wait_s = min((known.lease_until_at_ms - now_ms) // 1000 + 1, self.policy.max_delay_s)
            return Outcome(ending=Ending.RETRY, reason="another worker holds the claim", delay_s=wait_s)
        left_ms = self._left_to_its_home_ms(known, now_ms)
        if left_ms > 0:
            reason = f"{known.home} is to process it; taken over if it does not"
            return Outcome(ending=Ending.RETRY, reason=reason, delay_s=left_ms // 1000 + 1)
        claim = replace(
            claim,
            attempt=self._attempt_after(this, known),
            sha256=known.sha256,
            home=known.home,
            accepted_at_ms=known.accepted_at_ms,
        )
        version = self._put(claim, expect=row.version)
        if version is None:
            return Outcome(ending=Ending.RETRY, reason="another worker was quicker to claim", delay_s=1)
        return _Claim(record=claim, row_version=version)

    # An upload through the API stands in several clouds, each of which has its event:
    #
    #     accepted ──────── takeover_after_s ────────> anybody may claim it (in a ledger of its own: the merge decides)
    #        only its home cloud claims it
    def _left_to_its_home_ms(self, known: Record, now_ms: int) -> int:
        if known.state is not State.PENDING or known.home in ("", self.cloud):
            return 0
        return known.accepted_at_ms + self.takeover_after_s * 1000 - now_ms

    def _attempt_after(self, this: Try, known: Record) -> int:
        if known.state in (State.CLAIMED, State.PENDING):
            return known.attempt + 1
        # A parked upload whose message came back all the same (parking failed, or the message's other uploads are not
        # done) gets one more try, or uploads that fail in turns would bring their message back for ever.
        if known.state is State.PARKED and this.receive_count > 1:
            return max(known.attempt, 1)
        return 1

    def _duplicate(self, this: Try, known: Record, row: Row) -> Outcome:
        old, new = known.upload, this.upload
        if (old.cloud, old.bucket) != (new.cloud, new.bucket):
            return Outcome(ending=Ending.DUPLICATE)  # another cloud's copy was recorded; its history is another one
        if (old.key, old.version) != (new.key, new.version):
            return Outcome(ending=Ending.PARK, reason=f"another object was recorded under the id {new.upload_id}")
        # The same bytes put again under the same key of a bucket without versions have the same id and a later place in
        # the key's history.
        if old.sequencer < new.sequencer:
            moved = replace(known, upload=replace(old, sequencer=new.sequencer))
            if self._put(moved, expect=row.version) is None:
                return Outcome(ending=Ending.RETRY, reason="another worker was quicker to move the record", delay_s=1)
        return Outcome(ending=Ending.DUPLICATE)

    def _fetch_and_apply(self, this: Try, claim: Record) -> Record:
        if claim.attempt > self.policy.attempt_count:
            raise HandlingError(f"{claim.attempt - 1} tries ended without an answer: crashed, or out of time or memory")
        self._require_time(this)
        with self._open(this.upload) as found:
            match found:
                case OpenObject():
                    return self._apply(this, claim, found)
                case Absence.REPLACED:
                    return self._gone(claim, "overwritten before it was fetched")
                case Absence.MISSING if was_deleted(self.ledger, this.upload):
                    return self._gone(claim, "deleted before it was fetched")
                case Absence.MISSING:
                    raise HandlingError("missing: the bucket has no such object, or not yet")

    def _apply(self, this: Try, claim: Record, found: OpenObject) -> Record:
        info = found.info
        if this.upload.size_bytes not in (None, info.size_bytes):
            raise UploadRejectedError(
                f"the event tells of {this.upload.size_bytes} bytes, the object has {info.size_bytes}"
            )
        self._require_time(this)  # opening may have taken long: whoever took over since is working on it
        stream = MeasuredStream(found.body, require_time=lambda: self._require_time_to_read(this))
        facts = {} if info.derived_from else self._call_user(this.upload, stream)
        content_type = facts.pop("content_type", "")
        sha256 = stream.finish(expected_bytes=info.size_bytes)
        if claim.sha256 not in ("", sha256):
            raise HandlingError("the content is not what was acknowledged: its sha256 differs")
        return replace(
            claim,
            state=State.RECORDED,
            lease_until_at_ms=0,
            size_bytes=stream.size_bytes,
            sha256=sha256,
            content_type=content_type,
            facts=facts,
            recorded_at_ms=self.clock_ms(),
            recorded_by=self.cloud,
            derived_from=info.derived_from,
        )

    def _call_user(self, upload: Upload, stream: MeasuredStream) -> dict[str, Any]:
        try:
            facts = self.handle_upload(upload, io.BufferedReader(stream, CHUNK_BYTES))
        except StepError:
            raise
        except (Exception, SystemExit) as error:
            raise HandlingError(f"handle_upload raised {type(error).__name__}: {error}") from error
        return checked_facts(facts)

    def _confirm(self, claim: _Claim, record: Record) -> Outcome:
        if self._put(record, expect=claim.row_version) is not None:
            return Outcome(ending=Ending(record.state.value), record=record)
        return self._overtaken(record)

    def _overtaken(self, record: Record) -> Outcome:
        row = self.ledger.get(record.upload.upload_id)
        if row is not None and record_of(row).state is State.RECORDED:
            return Outcome(ending=Ending.DUPLICATE)
        return Outcome(ending=Ending.RETRY, reason="another worker took the claim over", delay_s=self.lease_margin_s)

    def _give_up(self, this: Try, claim: _Claim, error: StepError) -> Outcome:
        decision = decide(
            error,
            attempt=claim.record.attempt,
            receive_count=this.receive_count,
            policy=self.policy,
            jitter=this.jitter,
        )
        counts = isinstance(error, HandlingError | UploadRejectedError)
        given_up = replace(
            claim.record,
            state=State.PARKED if decision.verdict is Verdict.PARK else State.PENDING,
            attempt=claim.record.attempt if counts else claim.record.attempt - 1,
            lease_until_at_ms=0,
            reason=str(error),
        )
        try:
            if self._put(given_up, expect=claim.row_version) is None:
                return self._overtaken(given_up)
        except StepError as second:
            # The lease will end by itself. Until then the message must not be lost, so it is not parked either.
            return self._retry(this, second)
        return Outcome(
            ending=Ending(decision.verdict.value),
            reason=str(error),
            delay_s=decision.delay_s,
            is_for_another=self._is_for_another(this, error),
        )

    def _retry(self, this: Try, error: StepError) -> Outcome:
        delay_s = round(this.jitter * self.policy.ceiling_s(this.receive_count))
        for_another = self._is_for_another(this, error)
        return Outcome(ending=Ending.RETRY, reason=str(error), delay_s=delay_s, is_for_another=for_another)

    def _is_for_another(self, this: Try, error: StepError) -> bool:
        return is_for_another(error, receive_count=this.receive_count, policy=self.policy)

    def _gone(self, claim: Record, reason: str) -> Record:
        return replace(
            claim,
            state=State.GONE,
            lease_until_at_ms=0,
            reason=reason,
            recorded_at_ms=self.clock_ms(),
            recorded_by=self.cloud,
        )

    def _is_own(self, upload: Upload) -> bool:
        return (upload.cloud, upload.bucket) == (self.cloud, self.store.bucket)

    def _open(self, upload: Upload) -> AbstractContextManager[OpenObject | Absence]:
        if self.fetch_url is None or self._is_own(upload):
            return self.store.open(upload.key, version=upload.version)
        return self.fetch_url(upload.url)

    def _put(self, record: Record, *, expect: str | None) -> str | None:
        """Put a record; when the answer is lost, look whether it landed (`owner` makes our rows unlike all others)."""
        fields = to_fields(record)
        try:
            return self.ledger.put(record.upload.upload_id, fields, expect=expect)
        except OutcomeUnknownError:
            row = self.ledger.get(record.upload.upload_id)
            if row is None or row.fields != fields:
                raise
            return row.version

    def _require_time(self, this: Try) -> None:
        if not self._has_time(this):
            raise TransientError("the function's time is nearly up")

    def _require_time_to_read(self, this: Try) -> None:
        if not self._has_time(this):
            raise HandlingError("the function's time was up before the upload was read to its end")

    def _has_time(self, this: Try) -> bool:
        return this.deadline_at_ms - self.clock_ms() >= self.reserve_ms
