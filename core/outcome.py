"""One try of an upload: what it has to work with, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum

from core.record import Record
from core.upload import Upload


class Ending(StrEnum):
    """How one try of an upload ended."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"  # it was recorded before
    GONE = "gone"  # nothing is left to record
    RETRY = "retry"
    PARK = "park"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one try came to.

    Attributes:
        reason: For RETRY and PARK: why.
        delay_s: For RETRY: when to come back.
        is_for_another: For RETRY: this cloud is to blame, and another one may do better.
        record: For RECORDED: what was recorded.
    """

    ending: Ending
    reason: str = ""
    delay_s: int = 0
    is_for_another: bool = False
    record: Record | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One delivery of one upload to one worker.

    Attributes:
        owner: Unique to this try, so that a worker recognises its own writes.
        deadline_at_ms: When the function is stopped, by the worker's clock.
        receive_count: How often the message was received, this time included.
        jitter: Uniform in [0, 1).
    """

    upload: Upload
    owner: str
    deadline_at_ms: int
    receive_count: int
    jitter: float
