"""Works messages off: what each one means, what became of it, and whether the queue may forget it."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from core.errors import StepError, TransientError, UploadRejectedError
from core.outcome import Ending, Outcome, Try
from core.parking import park
from core.pipeline import Pipeline
from core.ports import Ledger, Message, WorkQueue
from core.record import Record, State, deletion_record, from_fields, to_fields
from core.upload import OWN_PREFIX, Deletion, Ignored, Notice, Upload

log = logging.getLogger("sluice")

# A lost race for a deletion's row means that another delivery wrote it; each round one of them succeeds.
_DELETION_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Turns messages into records.

    Attributes:
        parse: Reads a message's body; raises UploadRejectedError for one that means nothing.
        owner: Unique to this worker; with a message's receipt it makes a try's owner.
        jitter: Gives a number uniform in [0, 1).
        hand_over: Gives an upload to another cloud, and tells its state there; None where there is no other.
        tell: Tells the other clouds of a record, so that they need not take over what they hold a copy of.
        control: Where a probe that came through is noted; None where nobody probes.
    """

    pipeline: Pipeline
    work: WorkQueue
    parked: WorkQueue
    parse: Callable[[str], Sequence[Notice]]
    owner: str
    jitter: Callable[[], float]
    hand_over: Callable[[Upload], State | None] | None = None
    tell: Callable[[Record], None] | None = None
    control: Ledger | None = None

    def handle(self, message: Message, *, deadline_at_ms: int) -> bool:
        """Work one message off. True: it may be deleted. False: it comes back, if possible after a wait that was set.

        A message of several uploads is finished when each of them is; when it comes back, some are duplicates.
        """
        try:
            notices = self.parse(message.body)
        except UploadRejectedError as error:
            outcomes = [Outcome(ending=Ending.PARK, reason=str(error))]
        else:
            outcomes = [self._handle_notice(n, message, deadline_at_ms=deadline_at_ms) for n in notices]
        return self._settle(message, outcomes)

    def handle_batch(self, messages: Sequence[Message], *, concurrency: int, deadline_at_ms: int) -> list[Message]:
        """Work a batch off, each message on its own, and answer before the deadline.

        Returns:
            The messages that must come back. One that hangs is among them and does not hold up the others: its thread
            is left to itself, and should it ever go on, its claim has run out, so it can confirm nothing.
        """
        if len(messages) == 1:  # nobody to disturb, and a thread would cost more than the core does
            return [m for m in messages if not self._handle_safely(m, deadline_at_ms)]
        pool = ThreadPoolExecutor(max_workers=min(concurrency, len(messages)) or 1, thread_name_prefix="sluice")
        futures = {pool.submit(self._handle_safely, m, deadline_at_ms): m for m in messages}
        answer_at_ms = deadline_at_ms - self.pipeline.reserve_ms // 2
        wait(futures, timeout=max(0, answer_at_ms - self.pipeline.clock_ms()) / 1000)
        pool.shutdown(wait=False, cancel_futures=True)
        return [m for future, m in futures.items() if not _is_handled(future)]

    def _handle_safely(self, message: Message, deadline_at_ms: int) -> bool:
        try:
            return self.handle(message, deadline_at_ms=deadline_at_ms)
        except Exception:
            # The one broad catch: whatever it is, the message comes back and its neighbours are not disturbed.
            log.exception("message %s failed and comes back", message.message_id)
            return False

    def _handle_notice(self, notice: Notice, message: Message, *, deadline_at_ms: int) -> Outcome:
        match notice:
            case Upload() | Deletion() if notice.key.startswith(OWN_PREFIX):
                return self._note_probe()
            case Upload():
                this = Try(
                    upload=notice,
                    owner=f"{self.owner}/{message.message_id}/{message.receipt[-32:]}",
                    deadline_at_ms=deadline_at_ms,
                    receive_count=message.receive_count,
                    jitter=self.jitter(),
                )
                outcome = self._with_others(this, self.pipeline.process(this))
                log.info("upload %s: %s %s", notice.upload_id, outcome.ending, outcome.reason)
                return outcome
            case Deletion():
                return self._record_deletion(notice, message)
            case Ignored():
                log.info("ignored: %s", notice.reason)
                return Outcome(ending=Ending.GONE)

    def _with_others(self, this: Try, outcome: Outcome) -> Outcome:
        """Let the other clouds know, or help. Nothing is acknowledged for it but what one of them has recorded."""
        if self.pipeline.clock_ms() >= this.deadline_at_ms - self.pipeline.reserve_ms:
            return outcome
        if self.tell and outcome.record and outcome.record.accepted_at_ms:
            self.tell(outcome.record)
        if not self.hand_over or not outcome.is_for_another or this.upload.url:
            return outcome  # what was handed over to this cloud is not passed on: the giver has its message still
        if self.hand_over(this.upload) is State.RECORDED:
            return Outcome(ending=Ending.DUPLICATE, reason="another cloud has recorded it")
        return outcome

    def _note_probe(self) -> Outcome:
        if self.control is not None:
            from core.probe import note_probe  # here, because an upload's cold start should not pay for it

            with suppress(StepError):
                note_probe(self.control, at_ms=self.pipeline.clock_ms())
        return Outcome(ending=Ending.GONE)

    # One row for each deleted key, which only ever moves to a later place in the key's history:
    #
    #     no row ──> deleted at sequencer 5 ──> deleted at 9        an event of 7 that comes late changes nothing
    def _record_deletion(self, deletion: Deletion, message: Message) -> Outcome:
        ledger = self.pipeline.ledger
        record = deletion_record(deletion, at_ms=self.pipeline.clock_ms())
        expect = None
        try:
            for _ in range(_DELETION_TRIES):
                if ledger.put(record.upload.upload_id, to_fields(record), expect=expect) is not None:
                    return Outcome(ending=Ending.RECORDED)
                row = ledger.get(record.upload.upload_id)
                if row is not None and from_fields(row.fields).upload.sequencer >= deletion.sequencer:
                    return Outcome(ending=Ending.DUPLICATE)
                expect = row.version if row is not None else None
            raise TransientError("too many others wrote the same deletion")
        except StepError as error:
            delay_s = round(self.jitter() * self.pipeline.policy.ceiling_s(message.receive_count))
            return Outcome(ending=Ending.RETRY, reason=str(error), delay_s=delay_s)

    def _settle(self, message: Message, outcomes: Sequence[Outcome]) -> bool:
        waits = [outcome.delay_s for outcome in outcomes if outcome.ending is Ending.RETRY]
        reasons = [outcome.reason for outcome in outcomes if outcome.ending is Ending.PARK]
        try:
            if reasons and not waits:
                log.warning("message %s parked: %s", message.message_id, "; ".join(reasons))
                park(self.parked, message, reason="; ".join(reasons), at_ms=self.pipeline.clock_ms())
            if waits:
                self.work.extend(message, visibility_timeout_s=max(waits))
        except StepError as error:
            log.warning("message %s comes back after its visibility timeout: %s", message.message_id, error)
            return False
        return not waits


def _is_handled(future: Future[bool]) -> bool:
    # What escaped the broad catch is no Exception (asyncio's CancelledError is none); its message comes back, too.
    return future.done() and not future.cancelled() and future.exception() is None and future.result()
