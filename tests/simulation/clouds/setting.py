"""Which code works in a simulated world, and its times. A test of a safety rule swaps one part for a broken one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.handover import HandOver
from core.ingest import Receipt, ingest
from core.pipeline import Pipeline
from core.reconcile import pull
from core.site import Site
from core.votes import SwitchPolicy
from core.watch import Watch
from core.worker import Worker
from providers.memory.ledger import MemoryLedger

CLOUDS = ("aws", "gcp", "azure")
FUNCTION_S = 20
LEASE_MARGIN_S = 5
VISIBILITY_S = 40
STUCK_AGE_S = 300
MIN_AGE_S = 30
MAX_DELAY_S = 60
ATTEMPT_COUNT = 60  # more than crashes in any schedule: only the handler's own fault parks an upload
POLICY = SwitchPolicy(
    fail_count=2,
    recover_count=3,
    client_failure_count=3,
    vote_valid_s=90,
    cool_down_s=120,
    flap_window_s=600,
    flap_max_count=2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The parts. As it stands, it is the code of `core`."""

    pipeline: type[Pipeline] = Pipeline
    worker: type[Worker] = Worker
    site: type[Site] = Site
    watch: type[Watch] = Watch
    hand_over: type[HandOver] = HandOver
    ledger: type[MemoryLedger] = MemoryLedger
    ingest: Callable[..., Receipt] = ingest
    pull: Callable[..., Any] = pull
    lease_margin_s: int = LEASE_MARGIN_S
    takeover_after_s: int = 60
