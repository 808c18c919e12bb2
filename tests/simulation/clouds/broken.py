"""The core without one of its safety lines each: what the simulation of three clouds must find."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

from core.handover import HandOver
from core.ingest import Receipt, ingest
from core.merge import merge
from core.outcome import Ending, Outcome
from core.pipeline import Pipeline, Try
from core.ports import Fields, Ledger
from core.reconcile import SETTLED, Pulled
from core.record import Record, State, from_fields, to_fields
from core.route import ROW_ID, Route, route_to_fields
from core.site import Site
from core.switch import Switch
from core.ticket import Ticket
from core.upload import Upload
from core.votes import Vote
from core.watch import Watch
from core.work_item import to_text
from core.worker import Worker
from providers.memory.ledger import MemoryLedger
from tests.simulation.clouds.setting import Setting

Held = Mapping[str, Route]


class BlindLedger(MemoryLedger):
    """Takes every write, whatever it expects."""

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        row = self.get(row_id)
        return super().put(row_id, fields, expect=row.version if row else None)


class ConfirmsUnfenced(Pipeline):
    """Writes its record over whatever stands."""

    def _confirm(self, claim: Any, record: Record) -> Outcome:
        row = self.ledger.get(record.upload.upload_id)
        self._put(record, expect=row.version if row else None)
        return Outcome(ending=Ending(record.state.value), record=record)


class AcknowledgesLiveClaim(Pipeline):
    """Takes a claim that somebody else holds for a record."""

    def process(self, this: Try) -> Outcome:
        outcome = super().process(this)
        held = outcome.reason == "another worker holds the claim"
        return Outcome(ending=Ending.DUPLICATE) if held else outcome


class MixesHistories(Pipeline):
    """Moves a record of another cloud's copy along the history of its own."""

    def _duplicate(self, this: Try, known: Record, row: Any) -> Outcome:
        if known.upload.sequencer < this.upload.sequencer:
            moved = replace(known, upload=replace(known.upload, sequencer=this.upload.sequencer))
            self._put(moved, expect=row.version)
        return Outcome(ending=Ending.DUPLICATE)


class ForgetsHandedOver(Worker):
    """Acknowledges what another cloud has taken, whether it has recorded it or not."""

    def _with_others(self, this: Try, outcome: Outcome) -> Outcome:
        found = super()._with_others(this, outcome)
        is_given = outcome.is_for_another and self.hand_over and self.hand_over(this.upload) is State.PENDING
        return Outcome(ending=Ending.DUPLICATE) if is_given else found


class PassesOn(Worker):
    """Hands over what was handed over to it."""

    def _with_others(self, this: Try, outcome: Outcome) -> Outcome:
        found = super()._with_others(this, outcome)
        if self.hand_over and outcome.is_for_another and this.upload.url:
            self.hand_over(this.upload)
        return found


class TakesAnyRoute(Site):
    """Takes a route whatever its epoch."""

    def offer_route(self, route: Route) -> Route:
        control = self.services.control
        row = control.get(ROW_ID)
        control.put(ROW_ID, route_to_fields(route), expect=row.version if row else None)
        return route


class StoresWithoutRecord(Site):
    """Holds a copy without a record of it."""

    def keep(self, ticket: Ticket, body: BinaryIO) -> None:
        self.services.store.put(ticket.key, body, size_bytes=ticket.size_bytes, if_absent=True)


class TakesWorkAgain(Site):
    """Takes work as if it had never seen the upload."""

    def take_work(self, upload: Upload) -> State:
        row = self.services.ledger.get(upload.upload_id)
        self._put(Record(upload=upload, state=State.PENDING, home=self.cloud), row)
        self.services.work.send([to_text(upload)])
        return State.PENDING


class TakesWhatItCannotRead(Site):
    """Takes work that it has no copy of and no URL for."""

    def take_work(self, upload: Upload) -> State:
        own = self._own_copy(upload)
        if self.services.ledger.get(upload.upload_id) is None:
            self._put(Record(upload=own, state=State.PENDING, home=self.cloud, accepted_at_ms=self.clock_ms()), None)
        if own.url or own.cloud == self.cloud:
            return super().take_work(upload)
        self.services.work.send([to_text(own)])
        return State.PENDING


class SendsOwnCopiesAgain(Site):
    """Sends a work item for its own copy whenever it is asked to take it."""

    def take_work(self, upload: Upload) -> State:
        state = super().take_work(upload)
        if state is State.PENDING:
            self.services.work.send([to_text(self._own_copy(upload))])
        return state


class DecidesAlone(Watch):
    """Takes its own vote for everybody's."""

    def _move(self, held: Held, route: Route, votes: Sequence[Vote], *, seen_at_ms: int) -> Switch | None:
        return super()._move(held, route, [votes[0]] * len(self.peers), seen_at_ms=seen_at_ms)


class TakesNewestForChosen(Watch):
    """Takes the newest route that some cloud holds for the one that counts, its own before others."""

    def _move(self, held: Held, route: Route, votes: Sequence[Vote], *, seen_at_ms: int) -> Switch | None:
        own = held.get(self.site.cloud)
        newest = max((*([own] if own else []), *held.values()), key=lambda each: each.epoch)
        return super()._move(dict.fromkeys(held, newest), newest, votes, seen_at_ms=seen_at_ms)


class TakesOldLooksForNew(Watch):
    """Takes what it saw when the round began for what is so now."""

    def _move(self, held: Held, route: Route, votes: Sequence[Vote], *, seen_at_ms: int) -> Switch | None:
        return super()._move(held, route, votes, seen_at_ms=self.clock_ms())


class LeavesRivals(Watch):
    """Leaves another route of the epoch that counts where it is."""

    def _move(self, held: Held, route: Route, votes: Sequence[Vote], *, seen_at_ms: int) -> Switch | None:
        same = {cloud: route if each.epoch == route.epoch else each for cloud, each in held.items()}
        return super()._move(same, route, votes, seen_at_ms=seen_at_ms)


def latest_wins(a: Record, b: Record) -> Record:
    """Of two recordings the later one."""
    if a.state is b.state is State.RECORDED:
        return max(a, b, key=lambda record: record.sighting)
    return merge(a, b)


def newcomer_wins(known: Record, new: Record) -> Record:
    """What comes last, whatever its state."""
    return new


def absorb_with(merged: Any, ledger: Ledger, record: Record) -> int:
    row = ledger.get(record.upload.upload_id)
    known = from_fields(row.fields) if row else None
    found = merged(known, record) if known else record
    if found == known:
        return 0
    return int(ledger.put(record.upload.upload_id, to_fields(found), expect=row.version if row else None) is not None)


def _merging(merged: Any) -> Setting:
    class MergesBadly(Site):
        def absorb(self, records: Sequence[Record]) -> int:
            return sum(absorb_with(merged, self.services.ledger, record) for record in records)

    def pull(peer: Any, ledger: Ledger, **_: Any) -> Pulled:
        records = [record for record in peer.records(after="", limit=500).records if record.state in SETTLED]
        changed_count = sum(absorb_with(merged, ledger, record) for record in records)
        return Pulled(seen_count=len(records), changed_count=changed_count, after="")

    return Setting(site=MergesBadly, pull=pull)


def acknowledges_early(ticket: Ticket, open_body: Any, *, peers: Any, copies: int, gather: Any) -> Receipt:
    """Gives a receipt for all copies as soon as one stands."""
    first = ingest(ticket, open_body, peers=peers, copies=1, gather=gather)
    return Receipt(ticket=ticket, copies=(*first.copies, *(p.cloud for p in peers if p.cloud not in first.copies)))


class GivesToNobody(HandOver):
    """Never gives work to another cloud."""

    def __call__(self, upload: Upload) -> State | None:
        return None


BROKEN = {
    "conditional writes": Setting(ledger=BlindLedger),
    "confirm fenced by the claim": Setting(pipeline=ConfirmsUnfenced),
    "no acknowledgement on a live claim": Setting(pipeline=AcknowledgesLiveClaim),
    "no acknowledgement on a pending hand-over": Setting(worker=ForgetsHandedOver),
    "work is passed on once": Setting(worker=PassesOn),
    "only higher epochs are taken": Setting(site=TakesAnyRoute),
    "a record before the copy": Setting(site=StoresWithoutRecord),
    "takeover by age": Setting(takeover_after_s=10**6),
    "taking work is idempotent": Setting(site=TakesWorkAgain),
    "no work is taken that cannot be read": Setting(site=TakesWhatItCannotRead),
    "one work item for an own copy": Setting(site=SendsOwnCopiesAgain),
    "a majority decides": Setting(watch=DecidesAlone),
    "the route of a majority counts": Setting(watch=TakesNewestForChosen),
    "a switch under way is left alone": Setting(watch=TakesOldLooksForNew),
    "rivals of one epoch are overtaken": Setting(watch=LeavesRivals),
    "of two recordings the earliest wins": _merging(latest_wins),
    "recorded stays recorded": _merging(newcomer_wins),
    "a receipt once the copies stand": Setting(ingest=acknowledges_early),
    "sequencers of one cloud only": Setting(pipeline=MixesHistories),
}
