"""Finds in what was observed when the fault was noticed, when the work moved, and when it came back."""

import json
from collections.abc import Sequence
from pathlib import Path

from drills.failover.history import Band
from drills.failover.scenario import Scenario


def moments_of_route(
    routes: Sequence[tuple[int, str]],
    suspicions: Sequence[tuple[int, str, str]],
    bands: Sequence[Band],
    scenario: Scenario,
    *,
    during_at_ms: int,
) -> tuple[int, int, int]:
    """When the route first left the preferred cloud, when it last came back, and when a faulty cloud was suspected.

    Args:
        routes: (when, active cloud), each time that the cloud which is active by a majority changed.
        suspicions: (when, voter, cloud).
        during_at_ms: What was before does not count.

    Returns:
        0 for what never was.
    """
    preferred = scenario.clouds[0]
    later = [(at_ms, active) for at_ms, active in routes if at_ms >= during_at_ms]
    moved_at_ms = next((at_ms for at_ms, active in later if active != preferred), 0)
    is_back = bool(moved_at_ms) and later[-1][1] == preferred
    faulty = {band.cloud for band in bands}
    suspected = [at_ms for at_ms, _, cloud in suspicions if cloud in faulty and at_ms >= during_at_ms]
    return moved_at_ms, later[-1][0] if is_back else 0, min(suspected, default=0)


def drain_began_at_ms(logs: Sequence[Path]) -> int:
    """When a standby first began to drain a queue, by the lines that faults.draining prints; 0: never."""
    turns = []
    for path in logs:
        lines = path.read_text().splitlines() if path.exists() else []
        turns += [json.loads(line) for line in lines if line.startswith('{"at_ms"')]
    return min((turn["at_ms"] for turn in turns if turn.get("begins")), default=0)
