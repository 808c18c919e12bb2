"""Wait for something to become true, and never longer than allowed."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def wait_until(predicate: Callable[[], Answer], *, timeout_s: float, what: str, interval_s: float = 0.02) -> Answer:
    """Return the first truthy answer of `predicate`.

    Raises:
        TimeoutError: No truthy answer within `timeout_s`; the message says `what` was awaited and the last answer.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() >= deadline_s:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s (last answer: {answer!r})")
        time.sleep(interval_s)
