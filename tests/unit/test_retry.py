"""Wait, or hand the upload to a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    HandlingError,
    OutcomeUnknownError,
    ProviderUnusableError,
    StepError,
    TransientError,
    UploadRejectedError,
)
from core.retry import RetryPolicy, Verdict, decide

POLICY = RetryPolicy(attempt_count=3, first_delay_s=2, max_delay_s=900)


@pytest.mark.parametrize(
    ("error", "attempt", "verdict"),
    [
        (UploadRejectedError, 1, Verdict.PARK),
        (HandlingError, 2, Verdict.RETRY),
        (HandlingError, 3, Verdict.PARK),
        (TransientError, 1_000, Verdict.RETRY),
        (OutcomeUnknownError, 1_000, Verdict.RETRY),
        (ProviderUnusableError, 1_000, Verdict.RETRY),
    ],
)
def test_blame_decides(error: type[StepError], attempt: int, verdict: Verdict) -> None:
    """Only what may be the upload's own fault is ever parked; an outage is waited out."""
    decision = decide(error("why"), attempt=attempt, receive_count=1, policy=POLICY, jitter=0.5)

    assert decision.verdict is verdict


@given(receive_count=st.integers(1, 10**9), jitter=st.floats(0, 1, exclude_max=True))
def test_waits_are_bounded(receive_count: int, jitter: float) -> None:
    """However often a message came, it waits no longer than the policy allows."""
    decision = decide(TransientError("why"), attempt=1, receive_count=receive_count, policy=POLICY, jitter=jitter)

    assert 0 <= decision.delay_s <= POLICY.max_delay_s


def test_waits_double() -> None:
    """The upper bound of the wait doubles with every receive, up to the longest."""
    assert [POLICY.ceiling_s(count) for count in (1, 2, 3, 4, 20)] == [2, 4, 8, 16, 900]
