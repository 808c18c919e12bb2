"""The documented algorithm of health-checked failover, without clock or network: counts, and who is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drills.dns.settings import Follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Of one target. It begins healthy, as both services let new checks begin.

    Attributes:
        streak_count: Probes in a row that contradict `is_healthy`.
        since_s: When `is_healthy` last changed, by the server's clock.
    """

    is_healthy: bool = True
    streak_count: int = 0
    since_s: float

    def after(self, is_good: bool, *, at_s: float, threshold_count: int, recovery_count: int) -> "Health":
        """The health after one more probe."""
        if is_good == self.is_healthy:
            return Health(is_healthy=self.is_healthy, since_s=self.since_s)
        needed_count = threshold_count if self.is_healthy else recovery_count
        if self.streak_count + 1 >= needed_count:
            return Health(is_healthy=is_good, since_s=at_s)
        return Health(is_healthy=self.is_healthy, streak_count=self.streak_count + 1, since_s=self.since_s)


def answered(order: Sequence[str], health: Mapping[str, Health], *, follows: Follows) -> tuple[str, ...]:
    """The clouds that are answered: the first healthy one.

    With none healthy Route 53 goes on as if all were, so that the first is answered, and Traffic Manager answers all.
    """
    for cloud in order:
        if health[cloud].is_healthy:
            return (cloud,)
    return tuple(order[:1]) if follows is Follows.ROUTE53 else tuple(order)
