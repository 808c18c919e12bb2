"""Each safety rule is taken away once: then some short schedule must show the harm. So the simulation can fail."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from core.pipeline import Ending, Outcome, Pipeline, Try
from core.ports import Fields, Message
from core.record import Record
from core.worker import Worker
from providers.memory.ledger import MemoryLedger
from tests.simulation.schedules import STEPS, walk
from tests.simulation.world import FUNCTION_S, Setting, Violation


class BlindLedger(MemoryLedger):
    """Takes every write, whatever it expects."""

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        row = self.get(row_id)
        return super().put(row_id, fields, expect=row.version if row else None)


class AcknowledgesLiveClaim(Pipeline):
    """Takes a claim that somebody else holds for a record."""

    def process(self, this: Try) -> Outcome:
        outcome = super().process(this)
        held = outcome.reason == "another worker holds the claim"
        return Outcome(ending=Ending.DUPLICATE) if held else outcome


class AcknowledgesBeforeConfirm(Pipeline):
    """Says that the upload is recorded, and does not record it."""

    def _confirm(self, claim: Any, record: Record) -> Outcome:
        return Outcome(ending=Ending.RECORDED)


class ConfirmsUnfenced(Pipeline):
    """Writes its record over whatever claim stands."""

    def _confirm(self, claim: Any, record: Record) -> Outcome:
        row = self.ledger.get(record.upload.upload_id)
        self._put(record, expect=row.version if row else None)
        return Outcome(ending=Ending.RECORDED)


class TriesForEver(Pipeline):
    """Does not count the tries that ended without an answer."""

    def _fetch_and_apply(self, this: Try, claim: Record) -> Record:
        return super()._fetch_and_apply(this, replace(claim, attempt=1))


class AcknowledgesLostConfirm(Pipeline):
    """Takes whoever took the claim over for somebody who will not crash."""

    def _overtaken(self, record: Record) -> Outcome:
        return Outcome(ending=Ending.DUPLICATE)


class ForgivesParked(Pipeline):
    """Gives a parked upload all its tries again whenever its message comes back."""

    def _attempt_after(self, this: Try, known: Record) -> int:
        return super()._attempt_after(replace(this, receive_count=1), known)


class AcknowledgesFirst(Worker):
    """Deletes the message, and then works."""

    def handle(self, message: Message, *, deadline_at_ms: int) -> bool:
        self.work.acknowledge(message)
        return super().handle(message, deadline_at_ms=deadline_at_ms)


class ForgetsToPark(Worker):
    """Gives a message up without keeping it."""

    def _settle(self, message: Message, outcomes: Any) -> bool:
        return all(outcome.ending is not Ending.RETRY for outcome in outcomes)


FEWER_STEPS = {name: STEPS[name] for name in ("A steps", "B steps", "A crashes", "time jumps")}
BROKEN = {
    "conditional writes": Setting(ledger=BlindLedger),
    "no acknowledgement on a live claim": Setting(pipeline=AcknowledgesLiveClaim),
    "confirm before acknowledgement": Setting(pipeline=AcknowledgesBeforeConfirm),
    "confirm fenced by the claim": Setting(pipeline=ConfirmsUnfenced),
    "a lost confirm is not acknowledged": Setting(pipeline=AcknowledgesLostConfirm),
    "acknowledgement comes last": Setting(worker=AcknowledgesFirst),
    "a lease that outlives the function": Setting(lease_margin_s=-FUNCTION_S),
    "a lease that ends": Setting(lease_margin_s=10**6),
    "a bounded number of tries": Setting(pipeline=TriesForEver, attempt_count=1),
    "one more try for what was parked": Setting(
        pipeline=ForgivesParked, messages=("x y", "x"), raises={"x": 99, "y": 99}, attempt_count=2
    ),
    "parked before acknowledged": Setting(worker=ForgetsToPark, raises={"x": -1}),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_with_the_rule_nothing_breaks(rule: str, caplog: pytest.LogCaptureFixture) -> None:
    """The control: the same world with the code as it is, so that the harm comes from the missing rule alone."""
    caplog.set_level(logging.CRITICAL, logger="sluice")
    intact = Setting()
    whole = replace(
        BROKEN[rule],
        ledger=intact.ledger,
        pipeline=intact.pipeline,
        worker=intact.worker,
        lease_margin_s=intact.lease_margin_s,
    )

    assert walk(whole, FEWER_STEPS, length=5).state_count > 1


@pytest.mark.parametrize("rule", BROKEN)
def test_without_the_rule_something_breaks(rule: str, caplog: pytest.LogCaptureFixture) -> None:
    """Some schedule of at most eight steps finds the harm."""
    caplog.set_level(logging.CRITICAL, logger="sluice")

    with pytest.raises(Violation):
        walk(BROKEN[rule], FEWER_STEPS, length=8)
