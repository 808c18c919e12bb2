"""Each figure is what its definition says, on a history whose numbers are known."""

from dataclasses import replace

import pytest
from drill_histories import FAULT_MS, HEALED_MS, row_of, whole_history, with_rows

from drills.failover.history import History, Moments
from drills.failover.verdict.figure_definitions import DEFINITIONS
from drills.failover.verdict.figures import compute_figures, percentile
from drills.failover.verdict.judge import judge
from drills.failover.verdict.series import latency, seconds
from drills.failover.verdict.upload_check import check_uploads


def figures_of(history: History) -> dict[str, float | None]:
    checked, _ = check_uploads(history.sent, history.ledgers)
    return compute_figures(history, checked)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rto_api_s", 2.0),  # seen to fail at 0.05, 0.1 and 2.05 s
        ("rto_bucket_s", 0.0),
        ("wait_max_api_s", 0.2),
        ("first_success_api_s", 0.2),
        ("first_success_bucket_s", 1.02),
        ("failed_try_count", 3),
        ("failed_try_share", round(3 / 11, 4)),
        ("error_share", 0.0),
        ("lost_count", 0),
        ("duplicate_count", 0),
        ("twice_executed_count", 0),
        ("detect_s", 2.0),
        ("switch_s", 3.5),
        ("back_s", 5.0),
        ("converge_s", 4.0),
        ("quiet_s", 2.0),
        ("queue_rto_s", 1.52),  # put from 1.0 to 1.02 s, recorded 0.5 s later
        ("queue_wait_p95_s", 0.5),
        ("drain_begin_s", 2.5),
        ("drain_s", 3.52),  # of the last object that was put before the route moved
        ("last_dns_client_s", None),
    ],
)
def test_figure(name: str, value: float | None) -> None:
    """By hand and by the code the same."""
    assert figures_of(whole_history())[name] == value


def test_every_figure_is_defined() -> None:
    """A figure without a definition would be a number without a meaning."""
    assert set(figures_of(whole_history())) <= set(DEFINITIONS)


@pytest.mark.parametrize(
    ("figure_id", "step"),
    [("first_success_api_s", 2.0), ("rto_bucket_s", 0.25), ("wait_max_api_s", 0.25), ("lost_count", 0), ("back_s", 1)],
)
def test_step_of_a_figure(figure_id: str, step: float) -> None:
    """No figure is finer than the load by which it is seen (a file every 2 s, four a second), or than the looks."""
    figures = {each["id"]: each for each in judge(whole_history())["figures"]}

    assert figures[figure_id]["step"] == step


def test_last_gasp_of_dying_functions_is_no_recovery() -> None:
    """What the cloud's own functions recorded before they were dead does not shorten the queue's RTO."""
    history = whole_history()
    early = row_of(history.sent[4], recorded_by="aws")

    assert figures_of(with_rows(history, "bucket-5.bin", (early,)))["queue_rto_s"] == 3.52


def test_what_never_was_is_not_measured() -> None:
    """No switch has no time, and not the time 0."""
    figures = figures_of(whole_history(moments=Moments()))

    assert {figures[name] for name in ("detect_s", "switch_s", "back_s", "converge_s", "quiet_s")} == {None}


def test_last_dns_client() -> None:
    """The last try by the name that still went to the cloud which was left; after the way back it is no news."""
    history = whole_history()
    late = replace(history.sent[3], road="dns", name="dns-1.bin")
    back = replace(history.sent[6], road="dns", name="dns-2.bin")
    back = replace(back, attempts=(replace(back.attempts[0], cloud="aws", began_at_ms=HEALED_MS + 6_000),))

    assert figures_of(replace(history, sent=(*history.sent, late, back)))["last_dns_client_s"] == 2.0


def test_twice_executed() -> None:
    """Counted from what the functions' logs say, upload by upload."""
    assert figures_of(whole_history(executions={"a": 2, "b": 1, "c": 3}))["twice_executed_count"] == 2


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (95, 10), (99, 10), (10, 1)])
def test_percentile(percent: float, value: float) -> None:
    """The nearest rank: always one of the values."""
    assert percentile(list(range(10, 0, -1)), percent) == value
    assert percentile([], percent) is None


def test_seconds_count_tries_by_cloud() -> None:
    """Each try counts in the second in which it ended, at the cloud that it went to."""
    found = {(each["at_ms"], each["cloud"]): each for each in seconds(whole_history()) if each["road"] == "api"}

    assert (found[FAULT_MS, "aws"]["ok_count"], found[FAULT_MS, "aws"]["error_count"]) == (0, 2)
    assert found[FAULT_MS, "aws"]["p50_ms"] is None
    assert (found[FAULT_MS, "gcp"]["ok_count"], found[FAULT_MS, "gcp"]["max_ms"]) == (1, 100)


def test_latency_counts_from_the_first_try() -> None:
    """A client that had to try three times has waited three times."""
    during = latency(whole_history())["api"]["during"]

    assert during == {"count": 2, "p50": 150, "p95": 200, "p99": 200}
