"""Kills process groups whose supervisor died without stopping them. Run as a script by `drills.supervisor`.

Standard input carries lines `hold <group id>` and `release <group id>`. Its end means that the supervisor is gone,
however it died: the operating system closes the pipe. Portable to Linux and macOS; needs only the standard library.

`lock <file>` and `unlock <file>`: by a file's lock others can see, while the leash is at work, that groups may be left.
"""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_S = 3.0


def read_held_groups(lines: Iterable[str]) -> set[int]:
    """Follow the supervisor's lines until they end; return the groups that it still held."""
    held: set[int] = set()
    locks: dict[str, int] = {}
    for line in lines:
        verb, _, what = line.rstrip("\n").partition(" ")
        match verb:
            case "hold":
                held.add(int(what))
            case "release":
                held.discard(int(what))
            case "lock":
                locks[what] = os.open(what, os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(locks[what], fcntl.LOCK_EX)
            case "unlock":
                os.close(locks.pop(what))
    return held


def signal_groups(group_ids: Iterable[int], signal_number: int) -> set[int]:
    """Signal each group; return those that still exist."""
    existing = set()
    for group_id in group_ids:
        try:
            os.killpg(group_id, signal_number)
            existing.add(group_id)
        except ProcessLookupError:
            continue
    return existing


def main() -> None:
    """Wait for the supervisor's end, then stop what it left behind."""
    groups = signal_groups(read_held_groups(sys.stdin), signal.SIGTERM)
    signal_groups(groups, signal.SIGCONT)
    deadline_s = time.monotonic() + GRACE_S
    while groups and time.monotonic() < deadline_s:
        time.sleep(0.05)
        groups = signal_groups(groups, 0)
    signal_groups(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()
