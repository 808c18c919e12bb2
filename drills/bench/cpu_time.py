"""The CPU time of a process and its children: a runtime may fork before it serves (the functions framework does)."""

import os
from pathlib import Path

_PROC = Path("/proc")


def group_cpu_s(group_id: int) -> float | None:
    """User and system time of a process group up to now, in steps of 10 ms; None where there is no /proc (macOS).

    Source: proc(5), /proc/pid/stat. Counts the group's living processes and the children for which they have waited.
    """
    if not _PROC.is_dir():
        return None
    tick_count = 0
    for entry in _PROC.iterdir():
        fields = _fields(entry) if entry.name.isdigit() else []
        if fields and int(fields[2]) == group_id:
            tick_count += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return tick_count / os.sysconf("SC_CLK_TCK")


def _fields(entry: Path) -> list[str]:
    """The third and later ones; none if the process has ended."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
