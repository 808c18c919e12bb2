"""How a cloud looks at itself: through the very paths that an upload takes.

look ── puts .sluice/probe ──> bucket ── event ──> work queue ──> process ── notes that it came ──> control table
  └──────────────── later looks see whether it came; while it does not, the function counts as failed ──┘
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import StepError
from core.ports import Depth, Ledger, ObjectStore, WorkQueue
from core.votes import Capability

# Events of these keys are ours: noted, and neither recorded nor handled.
PREFIX = ".sluice/"
PROBE_KEY = f"{PREFIX}probe"

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
        every_s: How often an object is put at most; looks in between only read.
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
            has_come = self._follow()
        except StepError:
            failed.append(Capability.LEDGER)
            has_come = True  # not known; the ledger is to blame already
        try:
            work = self.work.depth()
            parked_count = self.parked.depth().visible_count
        except StepError:
            failed.append(Capability.QUEUE)
        if not has_come:
            failed.append(Capability.FUNCTION)
        if not self._can_store():
            failed.append(Capability.STORE)
        return Checked(failed=tuple(sorted(failed)), work=work, parked_count=parked_count)

    def _follow(self) -> bool:
        """Whether the last probe came through, or may still do so. Puts the next one in the books when it is time."""
        now_ms = self.clock_ms()
        came = self.control.get(_CAME_ROW)
        came_at_ms = int(came.fields["at_ms"]) if came else 0
        row = self.control.get(_PROBE_ROW)
        put_at_ms = int(row.fields["put_at_ms"]) if row else 0
        waiting_since_ms = int(row.fields["waiting_since_ms"]) if row else 0
        if came_at_ms + _SKEW_MS >= waiting_since_ms:
            waiting_since_ms = 0
        if now_ms - put_at_ms >= self.every_s * 1000:
            fields = {"put_at_ms": now_ms, "waiting_since_ms": waiting_since_ms or now_ms}
            self.control.put(_PROBE_ROW, fields, expect=row.version if row else None)
        return not waiting_since_ms or now_ms - waiting_since_ms < self.function_stale_s * 1000

    def _can_store(self) -> bool:
        try:
            self.store.put(PROBE_KEY, io.BytesIO(b"probe"), size_bytes=5)
        except StepError:
            return False
        return True


def note_probe(control: Ledger, *, at_ms: int) -> None:
    """Note that a probe came through. A lost race means that another one came at the same time."""
    row = control.get(_CAME_ROW)
    if row is None or int(row.fields["at_ms"]) < at_ms:
        control.put(_CAME_ROW, {"at_ms": at_ms}, expect=row.version if row else None)
