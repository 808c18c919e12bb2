"""How services and links misbehave, and how a function is stopped between two calls to a port.

Operations run one inside another, not side by side: at a call that a fuse names, the function crashes, or other
operations run to their end before it goes on. So it may find the world changed, its claim taken over, its lease over.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from core.errors import OutcomeUnknownError, ProviderUnusableError, TransientError

Answer = TypeVar("Answer")


class Condition(StrEnum):
    """How a service or a link is."""

    WELL = "well"
    FAILS = "fails"  # nothing happens, and the caller is told so
    UNUSABLE = "unusable"  # likewise, and it will stay so
    LOSES_ANSWERS = "loses answers"  # what was asked happens; the caller is told that nobody knows
    LOSES_REQUESTS = "loses requests"  # nothing happens; the caller is told that nobody knows
    NOT_OPENED = "is not opened"  # of a store: it lists and finds, but reads nothing
    SLOW = "slow"  # of a link: it happens after the caller has given up waiting


SERVICE_CONDITIONS = (
    Condition.NOT_OPENED,
    Condition.FAILS,
    Condition.UNUSABLE,
    Condition.LOSES_ANSWERS,
    Condition.LOSES_REQUESTS,
)
LINK_CONDITIONS = (Condition.UNUSABLE, Condition.LOSES_ANSWERS, Condition.LOSES_REQUESTS, Condition.SLOW)


class Crashed(BaseException):
    """The function is gone. No `except Exception` may see this."""


class Late(BaseException):
    """A call whose answer is not waited for any longer; it happens later."""


@dataclass(slots=True)
class Fuse:
    """Burns down with each call to a port, and does something once: before the call of that number."""

    call_count: int
    act: Callable[[], None]

    def burn(self) -> None:
        self.call_count -= 1
        if self.call_count == 0:
            self.act()


def crash() -> None:
    """What a fuse does to end a function."""
    raise Crashed


@dataclass(slots=True)
class Network:
    """What all calls pass: the fuse of the operation that runs, the links between clouds, and what is under way.

    Attributes:
        links: By (who asks, who is asked); what is not in it is well.
        late: Calls that will still happen, though nobody waits for their answers.
    """

    fuse: Fuse | None = None
    links: dict[tuple[str, str], Condition] = field(default_factory=dict)
    late: list[Callable[[], object]] = field(default_factory=list)
    gather_depth: int = 0
    wait: Callable[[], None] = lambda: None

    def burn(self) -> None:
        if self.fuse is not None:
            self.fuse.burn()


@dataclass(slots=True)
class Service:
    """One service of one cloud. Every call to it passes here."""

    name: str
    network: Network
    condition: Condition = Condition.WELL

    def call(self, act: Callable[[], Answer], *, is_write: bool = False, opens: bool = False) -> Answer:
        self.network.burn()
        match self.condition:
            case Condition.WELL:
                return act()
            case Condition.FAILS:
                raise TransientError(f"{self.name} fails")
            case Condition.UNUSABLE:
                raise ProviderUnusableError(f"{self.name} is unusable")
            case Condition.NOT_OPENED if opens:
                raise ProviderUnusableError(f"{self.name} opens nothing")
            case Condition.LOSES_ANSWERS if is_write:
                act()
                raise OutcomeUnknownError(f"{self.name} lost the answer")
            case Condition.LOSES_REQUESTS if is_write:
                raise OutcomeUnknownError(f"{self.name} lost the request")
        return act()
