"""Declarations for tests, and the answers of targets."""

from collections.abc import Mapping
from typing import Any

from handlers.dns.declaration import Declaration, parse_declaration

NAMES = {"aws": "a.aws.example.", "gcp": "b.gcp.example.", "azure": "c.azure.example."}
ADDRESSES = {"aws": "192.0.2.1", "gcp": "192.0.2.2", "azure": "192.0.2.3"}


def file_of(**changes: Any) -> dict[str, Any]:
    """What `dns.yml` says, with changes at its top level."""
    health = {
        "protocol": "https",
        "port": 443,
        "path": "/v1/serving",
        "interval_s": 10,
        "threshold_count": 3,
        "timeout_s": 5,
    }
    return {
        "zone": "drill.test.",
        "name": "ingest",
        "ttl_s": 30,
        "health": health,
        "targets": NAMES,
        "hosts": {"route53": {}},
        **changes,
    }


def declare(**changes: Any) -> Declaration:
    return parse_declaration(file_of(**changes))


def all_serving(declaration: Declaration, *, but: tuple[str, ...] = ()) -> Mapping[str, bool]:
    """Of each target, whether it serves; `but` names clouds that do not."""
    return {target: cloud not in but for cloud, target in declaration.targets.items()}
