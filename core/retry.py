"""What to do after a step failed: wait, or hand the upload to a person.

Retries live here and nowhere else: SDKs are set to two quick attempts, and the wait is spent in the queue, as an
invisible message, where it costs nothing and survives a crash.
"""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import HandlingError, ProviderUnusableError, StepError, TransientError, UploadRejectedError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient to be.

    Attributes:
        attempt_count: How many tries an upload gets that may itself be at fault, before it is parked.
        first_delay_s: Upper bound of the wait after the first try; it doubles with every try, up to `max_delay_s`.
        hand_over_after_count: Receives of a message after which the moment's faults count as the cloud's.
        max_delay_s: At most 43,200 s, the longest visibility timeout (SQS API Reference, ChangeMessageVisibility).
    """

    attempt_count: int = 5
    first_delay_s: int = 2
    max_delay_s: int = 900
    hand_over_after_count: int = 3

    def ceiling_s(self, try_count: int) -> int:
        return min(self.max_delay_s, self.first_delay_s * (1 << min(try_count - 1, 16)))


class Verdict(StrEnum):
    """What happens to the message next."""

    RETRY = "retry"
    PARK = "park"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict; `delay_s` until the next try if there is to be one."""

    verdict: Verdict
    delay_s: int = 0


def decide(error: StepError, *, attempt: int, receive_count: int, policy: RetryPolicy, jitter: float) -> Decision:
    """Choose between waiting and a person.

    The moment's and the provider's faults are waited out, however often: an outage must not park every upload it meets.

    Args:
        attempt: Number of the try that failed, from 1, not counting tries that failed by the moment's fault.
        receive_count: How often the message was received, whatever became of it.
        jitter: Uniform in [0, 1); full jitter, so that messages do not come back in step.
    """
    if isinstance(error, UploadRejectedError):
        return Decision(verdict=Verdict.PARK)
    if isinstance(error, HandlingError) and attempt >= policy.attempt_count:
        return Decision(verdict=Verdict.PARK)
    return Decision(verdict=Verdict.RETRY, delay_s=round(jitter * policy.ceiling_s(receive_count)))


def is_for_another(error: StepError, *, receive_count: int, policy: RetryPolicy) -> bool:
    """Whether this cloud is to blame, and another one may do better: it is unusable, or the moment lasts too long."""
    if isinstance(error, ProviderUnusableError):
        return True
    return isinstance(error, TransientError) and receive_count >= policy.hand_over_after_count
