"""What a DNS host would change, and whether that is safe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class DnsHostError(Exception):
    """A DNS host answered, but not as wanted."""


class LostRaceError(DnsHostError):
    """Somebody else changed the record between our look and our write; nothing of ours was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """What one DNS host would change.

    Attributes:
        changes: One line each, for a person; none if all is as declared.
        before: The targets that the name leads to now.
        after: The targets that it would lead to.
        note: What this DNS host cannot do, if anything.
        apply: Makes the changes; raises what it likes.
    """

    changes: tuple[str, ...]
    before: frozenset[str]
    after: frozenset[str]
    note: str = ""
    apply: Callable[[], None]


class DnsHost(Protocol):
    """One place that answers for the zone. Both calls may raise anything: the caller isolates them."""

    def plan(self) -> HostPlan:
        """Look at what stands, and say what would change. Changes nothing."""

    def plan_switch(self, target: str) -> HostPlan | None:
        """As `plan`, for leading the name to one target; None where health checks decide and nobody switches."""


def why_refused(plan: HostPlan, serving: Mapping[str, bool]) -> str:
    """Why a plan must not be applied: it would remove the last healthy target. Empty if it may.

    Args:
        serving: Of each declared target, whether it answers as serving. A target that is removed but not declared was
            not asked (nobody sends requests to whatever stands in DNS), and counts as healthy.
    """
    removed = plan.before - plan.after
    if any(serving.get(target, False) for target in plan.after):
        return ""
    lost = sorted(target for target in removed if serving.get(target, True))
    if not lost:
        return ""
    left = ", ".join(sorted(plan.after)) or "none"
    return f"it would remove {', '.join(lost)}, and no target that is left serves ({left})"
