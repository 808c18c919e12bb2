"""What the local DNS server is told: a JSON file.

    {"zone": "drill.test.", "name": "ingest", "ttl_s": 1, "follows": "route53", "interval_s": 0.5, "threshold_count": 2,
     "recovery_count": 2, "connect_timeout_s": 0.2, "answer_timeout_s": 0.2, "path": "/v1/serving", "port": 8080,
     "targets": {"aws": "127.0.0.2", "gcp": "127.0.0.3:8081"}, "records": [["static", 5, "A", ["127.0.0.9"]]],
     "key": {"name": "drill.", "secret": "…base64…"}}

Only `zone`, `name` and `targets` are needed; the rest has the real service's numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Follows(StrEnum):
    """Whose documented behaviour."""

    ROUTE53 = "route53"
    TRAFFIC_MANAGER = "traffic_manager"


# Route 53: Developer Guide, "How Amazon Route 53 determines whether a health check is healthy"; 2xx and 3xx count, and
# as many good answers as bad ones turn it. Traffic Manager: "Traffic Manager endpoint monitoring": 3 tolerated
# failures, so the fourth counts; only 200 counts. Assumed: one good answer brings an endpoint back.
_DOCUMENTED: Mapping[Follows, Mapping[str, Any]] = {
    Follows.ROUTE53: {
        "ttl_s": 60,
        "interval_s": 30.0,
        "threshold_count": 3,
        "recovery_count": 3,
        "connect_timeout_s": 4.0,
        "answer_timeout_s": 2.0,
    },
    Follows.TRAFFIC_MANAGER: {
        "ttl_s": 30,
        "interval_s": 30.0,
        "threshold_count": 4,
        "recovery_count": 1,
        "connect_timeout_s": 5.0,
        "answer_timeout_s": 5.0,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The server's settings.

    Attributes:
        targets: Cloud to (address, port), in the route's order.
        records: Further records: relative name, TTL in seconds, type, values.
        key: TSIG key's name and base64 secret; without it no updates are taken.
    """

    zone: str
    name: str
    targets: Mapping[str, tuple[str, int]]
    follows: Follows
    ttl_s: int
    interval_s: float
    threshold_count: int
    recovery_count: int
    connect_timeout_s: float
    answer_timeout_s: float
    path: str = "/v1/serving"
    records: tuple[tuple[str, int, str, tuple[str, ...]], ...] = ()
    key: tuple[str, str] | None = None

    @property
    def switch_limit_s(self) -> float:
        """Longest time from an outage to the other answer, by the numbers: interval × threshold + timeout."""
        return self.interval_s * self.threshold_count + self.connect_timeout_s + self.answer_timeout_s

    def is_good(self, status: int) -> bool:
        """Whether an HTTP status counts as healthy."""
        return 200 <= status < 400 if self.follows is Follows.ROUTE53 else status == 200


def read_settings(path: Path) -> Settings:
    """Read the file.

    Raises:
        OSError: It cannot be read.
        ValueError, TypeError, KeyError: It says something wrong.
    """
    said = json.loads(path.read_text())
    follows = Follows(said.pop("follows", Follows.ROUTE53))
    port = said.pop("port", 80)
    targets = {cloud: _address(text, port) for cloud, text in said.pop("targets").items()}
    records = tuple((name, ttl_s, kind, tuple(values)) for name, ttl_s, kind, values in said.pop("records", ()))
    key = said.pop("key", None)
    known = {**_DOCUMENTED[follows], **said}
    return Settings(
        targets=targets,
        follows=follows,
        records=records,
        key=(key["name"], key["secret"]) if key else None,
        **known,
    )


def _address(text: str, port: int) -> tuple[str, int]:
    address, _, own_port = text.partition(":")
    return address, int(own_port or port)
