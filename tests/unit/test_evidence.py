"""Clients' failures, counted."""

from core.evidence import count_failures, report_failure
from providers.memory.ledger import MemoryLedger

CLOUDS = ("aws", "gcp")
NOW_MS = 60_000_000


def test_failures_of_this_minute_and_the_last_count() -> None:
    """Reports are counted per cloud, and forgotten after a minute or two."""
    control = MemoryLedger()
    for at_ms in (NOW_MS - 150_000, NOW_MS - 60_000, NOW_MS, NOW_MS + 1):
        report_failure(control, cloud="aws", clouds=CLOUDS, at_ms=at_ms)
    report_failure(control, cloud="gcp", clouds=CLOUDS, at_ms=NOW_MS)

    assert count_failures(control, cloud="aws", now_ms=NOW_MS) == 3
    assert count_failures(control, cloud="gcp", now_ms=NOW_MS) == 1
    assert count_failures(control, cloud="aws", now_ms=NOW_MS + 120_000) == 0


def test_strangers_names_count_for_nothing() -> None:
    """A client cannot fill the table with names of its own."""
    control = MemoryLedger()

    report_failure(control, cloud="x" * 1000, clouds=CLOUDS, at_ms=NOW_MS)

    assert control.page().rows == []
