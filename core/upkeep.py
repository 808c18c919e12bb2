"""What a schedule does between looks: part of a sweep, and part of an exchange with each peer.

Both go on where the last call stopped, which one row of the control table remembers, so that however large bucket and
ledgers are, each call is short and all of them together reach everything.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import StepError
from core.peer import Peer
from core.ports import Cloud
from core.reconcile import pull
from core.sweep import SweepReport, sweep

log = logging.getLogger("sluice")

_ROW_ID = "upkeep"
_SWEEP = "sweep_after"
_PULL = "pull_after_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Upkeep of one cloud.

    Attributes:
        others: The other clouds; none where this one is alone.
        min_age_s: Objects younger than this are left to their event.
        page_count: How many pages of the bucket, and of each peer's ledger, one call takes.
    """

    cloud: str
    services: Cloud
    others: Sequence[Peer]
    clock_ms: Callable[[], int]
    min_age_s: int = 300
    page_count: int = 5

    def run(self, *, stop_at_ms: int) -> None:
        """Take the next parts, until the time is up. What fails is logged and left to the next call.

        Raises:
            StepError: The control table cannot be read or written.
        """
        control = self.services.control
        row = control.get(_ROW_ID)
        places = dict(row.fields) if row else {}
        places[_SWEEP] = self._sweep(str(places.get(_SWEEP, "")), stop_at_ms)
        for peer in self.others:
            if self.clock_ms() < stop_at_ms:
                name = _PULL + peer.cloud
                places[name] = self._pull(peer, str(places.get(name, "")))
        control.put(_ROW_ID, places, expect=row.version if row else None)  # lost: another call is as far, or farther

    def _sweep(self, after: str, stop_at_ms: int) -> str:
        try:
            report = self._sweep_on(after, stop_at_ms)
        except StepError as error:
            log.warning("sweep: %s", error)
            return ""  # from the start: perhaps the place is one where nobody can go on
        if report.sent_count:
            log.warning("sweep: no event came for %d uploads", report.sent_count)
        return report.after

    def _sweep_on(self, after: str, stop_at_ms: int) -> SweepReport:
        return sweep(
            cloud=self.cloud,
            store=self.services.store,
            ledger=self.services.ledger,
            work=self.services.work,
            clock_ms=self.clock_ms,
            min_age_s=self.min_age_s,
            after=after,
            page_limit=self.page_count,
            stop_at_ms=stop_at_ms,
        )

    def _pull(self, peer: Peer, after: str) -> str:
        try:
            pulled = pull(peer, self.services.ledger, after=after, page_count=self.page_count)
        except StepError as error:
            log.info("records of %s cannot be merged now: %s", peer.cloud, error)
            return ""
        if pulled.changed_count:
            log.warning("%d records of %s merged", pulled.changed_count, peer.cloud)
        return pulled.after
