"""How one try of an upload ended, and what happens to its message next."""

from dataclasses import dataclass
from enum import StrEnum

from core.record import Record


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
