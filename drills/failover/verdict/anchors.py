"""Published figures that a drill's figures are put beside.

They are of services in production, over real networks; a drill on local clouds has neither. They say how large the
numbers are that people live with, not which is better.
"""

from typing import TypedDict

_NO_DATA = "moves a name, holds no data"

# Amazon Route 53 guide, "How Route 53 determines whether a health check is healthy": an endpoint must accept the
# connection within 4 s and then answer within 2 s.
_ROUTE_53_TIMEOUT_S = 4 + 2


class Anchor(TypedDict):
    """One published figure, as report.json carries it.

    Attributes:
        what: With its kind: objective (promised), documented, computed (here, from documented settings) or measured.
        rto: Time until work goes on.
        rpo: What is lost.
    """

    what: str
    rto: str
    rpo: str
    source: str


def worst_dns_failover_s(*, check_interval_s: int, fail_count: int, timeout_s: int, ttl_s: int) -> int:
    """How long clients go to a dead address when it died just after a good check: detection, then caches."""
    return check_interval_s * fail_count + timeout_s + ttl_s


def _route_53(settings: str, *, check_interval_s: int, fail_count: int, ttl_s: int) -> Anchor:
    worst_s = worst_dns_failover_s(
        check_interval_s=check_interval_s, fail_count=fail_count, timeout_s=_ROUTE_53_TIMEOUT_S, ttl_s=ttl_s
    )
    return Anchor(
        what=f"Amazon Route 53, {settings} ({check_interval_s} s × {fail_count}, TTL {ttl_s} s): computed",
        rto=f"≈ {worst_s} s",
        rpo=_NO_DATA,
        source="Amazon Route 53 Developer Guide, how health checks are judged; worst case of the settings",
    )


ANCHORS = (
    Anchor(
        what="Temporal Cloud, high availability: objective",
        rto="< 20 min",
        rpo="< 1 min",
        source="docs.temporal.io/cloud/high-availability",
    ),
    _route_53("defaults", check_interval_s=30, fail_count=3, ttl_s=60),
    _route_53("most aggressive", check_interval_s=10, fail_count=1, ttl_s=10),
    Anchor(
        what="Amazon S3 Multi-Region Access Points, failover by hand: documented",
        rto="≈ 2 min",
        rpo="what was not replicated yet",
        source="Amazon S3 User Guide, UsingFailover",
    ),
    Anchor(
        what="gdnsd 3.8.1, checks every 2 s, 2 failures: measured on one machine, 2026-11-23",
        rto="3.9–5 s",
        rpo=_NO_DATA,
        source="own measurement of the answer's change; clients' caches come on top",
    ),
)
