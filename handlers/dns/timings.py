"""How long a failover takes at each DNS host, computed from the declaration (`python -m handlers.dns timings`).

Worst case of an outage just after a good probe: interval × threshold + the probe's timeout until the target counts as
down, and then one TTL until the last well-behaved resolver asks again. Sources: Amazon Route 53 Developer Guide, "How
Amazon Route 53 determines whether a health check is healthy" (4 s to connect, 2 s to answer); Azure, "Traffic Manager
endpoint monitoring"; Google, Compute API, HealthCheck.sourceRegions (interval of at least 30 s).
"""

from dataclasses import dataclass

from handlers.dns.declaration import Declaration

_ROUTE53_PROBE_S = 4 + 2
_GOOGLE_LEAST_INTERVAL_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Computed, never measured on a live account."""

    host: str
    detect_s: int
    ttl_s: int

    @property
    def total_s(self) -> int:
        return self.detect_s + self.ttl_s


def timings_of(declaration: Declaration) -> tuple[Timing, ...]:
    """One for each kind of health-checked host, declared or not."""
    health = declaration.health
    seconds = {
        "route53": health.interval_s * health.threshold_count + _ROUTE53_PROBE_S,
        "azure": health.interval_s * health.threshold_count + health.timeout_s,
        "google_cloud_dns": max(health.interval_s, _GOOGLE_LEAST_INTERVAL_S) * health.threshold_count
        + health.timeout_s,
    }
    return tuple(Timing(host=host, detect_s=seconds[host], ttl_s=declaration.ttl_s) for host in seconds)
