"""Computes the figures that `figure_definitions` defines, from a history and the checked uploads."""

import math
from collections.abc import Mapping, Sequence

from drills.failover.history import Attempt, History, Sent
from drills.failover.scenario import FaultName, Road
from drills.failover.verdict.upload_check import Checked

Figures = dict[str, float | None]


def compute_figures(history: History, checked: Sequence[Checked]) -> Figures:
    """Each figure's value by its id; None where there was nothing to measure."""
    tries = [each for sent in history.sent for each in sent.attempts]
    failed = [each for each in tries if each.error]
    figures: Figures = {}
    for road in history.about["roads"]:
        figures |= _of_road(history, road)
    return figures | {
        "lost_count": sum(each.is_lost for each in checked),
        "duplicate_count": sum(each.extra_count for each in checked),
        "twice_executed_count": None if history.executions is None else _twice_count(history.executions),
        "error_share": share(sum(not each.is_acknowledged for each in history.sent), len(history.sent)),
        "failed_try_count": len(failed),
        "failed_try_share": share(len(failed), len(tries)),
        **_of_switch(history),
        **_of_queue(history, checked),
        **_of_end(history),
    }


def _twice_count(executions: Mapping[str, int]) -> int:
    return sum(count > 1 for count in executions.values())


def share(part_count: int, whole_count: int) -> float | None:
    return round(part_count / whole_count, 4) if whole_count else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The least value that at least `percent` % of the values do not exceed (nearest rank); None of none."""
    if not values:
        return None
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


def first_fault_at_ms(history: History) -> int:
    """When the phase `during` began: at the first fault or action."""
    return next(from_ms for name, from_ms, _ in history.phases if name == "during")


def last_heal_at_ms(history: History) -> int:
    """When the phase `during` ended: the last fault was over, and the last action done."""
    return next(to_ms for name, _, to_ms in history.phases if name == "during")


def _seconds(from_at_ms: int, to_at_ms: int) -> float | None:
    """None if one of the two was never seen."""
    return round((to_at_ms - from_at_ms) / 1000, 2) if from_at_ms and to_at_ms else None


def _of_road(history: History, road: str) -> Figures:
    start_ms = first_fault_at_ms(history)
    sent = [each for each in history.sent if each.road == road]
    seen = [each.ended_at_ms for one in sent for each in one.attempts if each.error and each.ended_at_ms >= start_ms]
    later = [each for each in sent if each.began_at_ms >= start_ms]
    firsts = [each.ended_at_ms for each in later if each.is_acknowledged]
    return {
        f"rto_{road}_s": round((max(seen) - min(seen)) / 1000, 2) if seen else 0.0,
        f"wait_max_{road}_s": max((_took_s(each) for each in later), default=None),
        f"first_success_{road}_s": _seconds(start_ms, min(firsts, default=0)),
    }


def _took_s(sent: Sent) -> float:
    return round((sent.ended_at_ms - sent.began_at_ms) / 1000, 2)


def _of_switch(history: History) -> Figures:
    start_ms, moments = first_fault_at_ms(history), history.moments
    return {
        "detect_s": _seconds(start_ms, moments.suspected_at_ms),
        "switch_s": _seconds(start_ms, moments.moved_at_ms),
        "last_dns_client_s": _last_dns_client_s(history) if moments.moved_at_ms else None,
        "back_s": _seconds(last_heal_at_ms(history), moments.back_at_ms),
    }


def _last_dns_client_s(history: History) -> float | None:
    """0 if nobody went to the old cloud any more."""
    start_ms, preferred = first_fault_at_ms(history), history.about["clouds"][0]
    until_ms = min(history.moments.back_at_ms or history.finished_at_ms, last_heal_at_ms(history))
    tries: list[Attempt] = [each for sent in history.sent if sent.road == Road.DNS for each in sent.attempts]
    if not tries:
        return None
    late = [each.began_at_ms for each in tries if each.cloud == preferred and start_ms <= each.began_at_ms < until_ms]
    return round((max(late, default=start_ms) - start_ms) / 1000, 2)


def _of_queue(history: History, checked: Sequence[Checked]) -> Figures:
    """Of the objects that were put into a faulty cloud's bucket while it was faulty."""
    start_ms = first_fault_at_ms(history)
    put = [each for each in checked if _is_put_into_fault(history, each)]
    recorded = [each for each in put if each.is_recorded and not _is_last_gasp(history, each)]
    waits_s = [(each.recorded_at_ms - each.sent.ended_at_ms) / 1000 for each in recorded]
    moved_ms = history.moments.moved_at_ms
    drained = [each.recorded_at_ms for each in recorded if each.sent.ended_at_ms <= moved_ms]
    p95_s = percentile(waits_s, 95)
    return {
        "queue_rto_s": _seconds(start_ms, min((each.recorded_at_ms for each in recorded), default=0)),
        "queue_wait_p95_s": None if p95_s is None else round(p95_s, 2),
        "drain_begin_s": _seconds(start_ms, history.moments.drain_at_ms),
        "drain_s": _seconds(start_ms, max(drained, default=0)),
    }


def _is_put_into_fault(history: History, checked: Checked) -> bool:
    sent = checked.sent
    return (
        sent.road == Road.BUCKET
        and sent.is_acknowledged
        and any(
            band.cloud == sent.attempts[-1].cloud and band.from_at_ms <= sent.began_at_ms < band.to_at_ms
            for band in history.bands
        )
    )


def _is_last_gasp(history: History, checked: Checked) -> bool:
    """Recorded by functions that were to be dead, before they were: that is no recovery."""
    return any(
        band.fault in (FaultName.FUNCTIONS_DEAD, FaultName.BAD_DEPLOY, FaultName.CONCURRENCY_0)
        and checked.recorded_by == band.cloud
        and band.from_at_ms <= checked.recorded_at_ms < band.to_at_ms
        for band in history.bands
    )


def _of_end(history: History) -> Figures:
    moments = history.moments
    return {
        "converge_s": _seconds(last_heal_at_ms(history), moments.healed_agreed_at_ms),
        "quiet_s": _seconds(moments.load_ended_at_ms, moments.agreed_at_ms),
    }
