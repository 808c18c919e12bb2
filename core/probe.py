"""How a cloud looks at itself: through the very paths that an upload takes.

look ── puts .sluice/probe ──> bucket ── event ──> work queue ──> process ── notes that it came ──> control table
  └──────────────── later looks see whether it came; while it does not, the function counts as failed ──┘
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import StepError
from core.ports import Depth, Ledger, ObjectStore, WorkQueue
from core.upload import OWN_PREFIX
from core.votes import Capability

PROBE_KEY = f"{OWN_PREFIX}probe"

_PROBE_ROW = "probe"
_CAME_ROW = "probe-came"
_SKEW_MS = 2_000  # between the clocks of two functions of one cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What failed, and how much waits (None where the queue did not say)."""

    failed: tuple[Capability, ...]
    work: Depth | None
    parked_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Checks one cloud's own services.

    Attributes:
        every_s: How often an object is put at most; looks in between tell what became of the last one.
        function_stale_s: How long a probe may take to come through before the function counts as failed.
    """

    store: ObjectStore
    ledger: Ledger
    control: Ledger
    work: WorkQueue
    parked: WorkQueue
    clock_ms: Callable[[], int]
    every_s: int = 10
    function_stale_s: int = 60

    def check(self) -> Checked:
        """Use each service once; what raises has failed."""
        failed: list[Capability] = []
        work, parked_count = None, None
        try:
            self.ledger.get(_PROBE_ROW)
            failed += self._follow()
        except StepError:
            failed.append(Capability.LEDGER)
            failed += self._put()  # whether the function works cannot be told now, and the ledger is to blame already
        try:
            work = self.work.depth()
            parked_count = self.parked.depth().visible_count
        except StepError:
            failed.append(Capability.QUEUE)
        return Checked(failed=tuple(sorted(failed)), work=work, parked_count=parked_count)

    # The row of the last probe, which all looks of all functions share:
    #
    #     put_at_ms ── every_s ──> the next one is put    waiting_since_ms ── function_stale_s ──> the function failed
    #     did_fail: what looks until then say of the store   0 when the last one came through
    def _follow(self) -> list[Capability]:
        """What failed of the last probe; when it is time, of the next one."""
        now_ms = self.clock_ms()
        came = self.control.get(_CAME_ROW)
        row = self.control.get(_PROBE_ROW)
        known = dict(row.fields) if row else {}
        waiting_since_ms = int(known.get("waiting_since_ms", 0))
        if came is not None and int(came.fields["at_ms"]) + _SKEW_MS >= waiting_since_ms:
            waiting_since_ms = 0
        did_fail = bool(known.get("did_fail", 0))
        if now_ms - int(known.get("put_at_ms", 0)) >= self.every_s * 1000:
            did_fail = bool(self._put())
            put_since_ms = 0 if did_fail else now_ms
            fields = {
                "put_at_ms": now_ms,
                "waiting_since_ms": waiting_since_ms or put_since_ms,
                "did_fail": int(did_fail),
            }
            self.control.put(_PROBE_ROW, fields, expect=row.version if row else None)
        is_overdue = waiting_since_ms and now_ms - waiting_since_ms >= self.function_stale_s * 1000
        return [Capability.STORE] * did_fail + ([Capability.FUNCTION] if is_overdue else [])

    def _put(self) -> list[Capability]:
        try:
            self.store.put(PROBE_KEY, io.BytesIO(b"probe"), size_bytes=5)
        except StepError:
            return [Capability.STORE]
        return []


def note_probe(control: Ledger, *, at_ms: int) -> None:
    """Note that a probe came through. A lost race means that another one came at the same time."""
    row = control.get(_CAME_ROW)
    if row is None or int(row.fields["at_ms"]) < at_ms:
        control.put(_CAME_ROW, {"at_ms": at_ms}, expect=row.version if row else None)
