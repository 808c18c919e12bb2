"""The load over time: per second, road and cloud; and latency before, during and after."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from drills.failover.history import History, Sent
from drills.failover.verdict.figures import percentile


def seconds(history: History) -> list[dict[str, Any]]:
    """Tries by the second in which they ended, by road and the cloud that they were sent to."""
    groups: dict[tuple[int, str, str], list[tuple[bool, int]]] = defaultdict(list)
    for sent in history.sent:
        for each in sent.attempts:
            second_ms = each.ended_at_ms // 1000 * 1000
            groups[second_ms, sent.road, each.cloud].append((not each.error, each.ended_at_ms - each.began_at_ms))
    return [_second(*key, tries) for key, tries in sorted(groups.items())]


def _second(at_ms: int, road: str, cloud: str, tries: Sequence[tuple[bool, int]]) -> dict[str, Any]:
    took_ms = [each_ms for is_ok, each_ms in tries if is_ok]
    return {
        "at_ms": at_ms,
        "road": road,
        "cloud": cloud,
        "ok_count": len(took_ms),
        "error_count": len(tries) - len(took_ms),
        "p50_ms": percentile(took_ms, 50),
        "max_ms": max(took_ms, default=None),
    }


def latency(history: History) -> dict[str, dict[str, dict[str, float | None]]]:
    """Of acknowledged uploads, from their first try on, by the phase in which that began."""
    return {
        road: {
            name: _summary([each for each in history.sent if each.road == road and from_ms <= each.began_at_ms < to_ms])
            for name, from_ms, to_ms in history.phases
        }
        for road in history.about["roads"]
    }


def _summary(sent: Sequence[Sent]) -> dict[str, float | None]:
    took_ms = [each.ended_at_ms - each.began_at_ms for each in sent if each.is_acknowledged]
    return {"count": len(took_ms), **{f"p{percent}": percentile(took_ms, percent) for percent in (50, 95, 99)}}
