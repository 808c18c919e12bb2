"""A scenario of a failover drill: what is sent, what goes wrong when, and what the figures must be.

`drills.failover.scenario_file` reads one from YAML; docs/drills.md shows a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

CLOUDS = ("aws", "gcp", "azure")


class Road(StrEnum):
    """How a client's upload gets in."""

    DNS = "dns"  # POST to the one cloud that the name stands for
    API = "api"  # POST to a cloud of a list, and to the next one if that fails
    PRESIGNED = "presigned"  # asks a cloud of the list where to PUT the copies, PUTs them, completes
    BUCKET = "bucket"  # straight into a bucket, with the vendor's own client


class Target(StrEnum):
    """On which clouds a drill plays."""

    LOCAL = "local"  # that it starts itself
    DEPLOYED = "deployed"  # that a peers file names


class FaultName(StrEnum):
    """What can be made to go wrong with a cloud."""

    FUNCTIONS_DEAD = "functions-dead"
    STORAGE_DEAD = "storage-dead"
    QUEUE_DEAD = "queue-dead"
    LEDGER_DEAD = "ledger-dead"
    OUTAGE = "outage"  # everything refuses
    HANG = "hang"  # everything accepts, and nothing answers
    SLOW = "slow"  # every service and the API answer late
    THROTTLED = "throttled"  # a share of all requests is refused as the services do when asked too much
    CUT_OFF = "cut-off"  # the clouds do not reach this one nor it them; clients reach all
    BAD_DEPLOY = "bad-deploy"  # every call of `process` raises
    CONCURRENCY_0 = "concurrency-0"  # `process` may not run: its reserved concurrency is 0 (AWS)
    PERMISSION_REVOKED = "permission-revoked"  # `process` may no longer use its ledger (a deployed AWS)
    INVOKER_REVOKED = "invoker-revoked"  # nobody may call `process` (a deployed Google Cloud)
    WATCH_FROZEN = "watch-frozen"  # the cloud's watch stands still, and goes on later as if nothing had been


class ActionName(StrEnum):
    """What an operator does."""

    SWITCH = "switch"
    PIN = "pin"
    UNPIN = "unpin"
    RECONCILE = "reconcile"
    STALE_OFFER = "stale-offer"  # somebody offers every cloud the route that held when the drill began


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedFault:
    """One fault. `at_s` counts from the end of the phase before."""

    at_s: float
    fault: FaultName
    cloud: str
    for_s: float
    delay_ms: int = 0
    share: float = 1.0

    @property
    def ends_at_s(self) -> float:
        return self.at_s + self.for_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedAction:
    """One action of an operator. `to`: of a switch."""

    at_s: float
    action: ActionName
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What goes by one road. Sizes are drawn evenly from `least_bytes` to `most_bytes`."""

    per_s: float
    least_bytes: int
    most_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Of the drill's parts, in seconds; the last two are bounds.

    Attributes:
        after_s: Of load after the work came back.
        fail_back_s: How long the way back to the preferred cloud may take after the last fault.
        quiet_s: How long it may take after the load until all ledgers agree.
    """

    before_s: float = 10
    after_s: float = 10
    fail_back_s: float = 60
    quiet_s: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All of it.

    Attributes:
        clouds: In the route's order.
        try_timeout_s: How long a client waits for one answer.
        give_up_s: After which a client begins no further try; a file without a receipt then is one failed upload.
        bucket: The cloud into whose bucket clients put first; the others follow in the route's order.
        goals: The most that a figure may be, by the figure's id.
    """

    name: str
    title: str
    description: str
    copies: int = 2
    clouds: tuple[str, ...] = CLOUDS
    seed: int = 1
    try_timeout_s: float = 3
    give_up_s: float = 30
    bucket: str = ""
    load: Mapping[Road, Load]
    faults: tuple[TimedFault, ...] = ()
    actions: tuple[TimedAction, ...] = ()
    durations: Durations = field(default_factory=Durations)
    goals: Mapping[str, float] = field(default_factory=dict)

    @property
    def lasts_s(self) -> float:
        """From the end of the phase before to the end of the last fault or action."""
        return max([each.ends_at_s for each in self.faults] + [each.at_s for each in self.actions], default=0)
