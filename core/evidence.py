"""Failures that clients tell of: which cloud they could not use before they came to this one.

Counted per minute in one row of the control table, so that the count is shared by all of a cloud's functions and
bounded in size. Losing a report in a race is harmless: it takes many of them to suspect a cloud.
"""

from collections.abc import Collection

from core.ports import Ledger

_ROW_ID = "client-failures"
_MINUTE_MS = 60_000


def report_failure(control: Ledger, *, cloud: str, clouds: Collection[str], at_ms: int) -> None:
    """Count one client's failure; one that names no cloud of ours counts for nothing."""
    if cloud not in clouds:
        return
    minute = at_ms // _MINUTE_MS
    row = control.get(_ROW_ID)
    counts = row.fields if row else {}
    fields = {name: count for name, count in counts.items() if name.startswith((f"m{minute}_", f"m{minute - 1}_"))}
    name = f"m{minute}_{cloud}"
    fields[name] = int(fields.get(name, 0)) + 1
    control.put(_ROW_ID, fields, expect=row.version if row else None)


def count_failures(control: Ledger, *, cloud: str, now_ms: int) -> int:
    """How many clients told of failures of a cloud in this minute and the last."""
    row = control.get(_ROW_ID)
    if row is None:
        return 0
    minute = now_ms // _MINUTE_MS
    return sum(int(row.fields.get(f"m{each}_{cloud}", 0)) for each in (minute, minute - 1))
