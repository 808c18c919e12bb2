"""Reads all ledgers with the vendors' clients, past all faults, and tells whether they agree on what was sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from drills.failover.history import Row, Sent
from drills.failover.verdict.upload_check import check_uploads
from drills.together import Together

_KEPT = (
    *("upload_id", "state", "cloud", "bucket", "key", "sha256", "size_bytes", "recorded_by", "recorded_at_ms"),
    *("conflicts", "home", "accepted_at_ms", "reason"),
)


def read_ledgers(together: Together) -> dict[str, tuple[Row, ...]]:
    """Each cloud's rows, without the fields that no check needs."""
    return {name: tuple(map(kept_fields, cloud.drilled.scan())) for name, cloud in together.clouds.items()}


def open_count(sent: Sequence[Sent], ledgers: Mapping[str, Sequence[Row]]) -> int:
    """How many files are not as they should be, or not yet."""
    checked, _ = check_uploads(sent, ledgers)
    return sum(bool(each.faults) for each in checked)


def kept_fields(row: Row) -> dict[str, Any]:
    """The fields that a check needs, as text or whole numbers."""
    kept = {name: row[name] for name in _KEPT if row.get(name) not in (None, "")}
    return {name: value if isinstance(value, str) else int(value) for name, value in kept.items()}
