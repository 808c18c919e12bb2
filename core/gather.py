"""Does several things at once and returns as soon as enough of them are done: the one place with threads for that."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from core.errors import StepError, TransientError, UploadRejectedError

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered(Generic[Answer]):
    """What was done and what failed, by name. A task in neither was not finished in time, or not started."""

    done: Mapping[str, Answer]
    failed: Mapping[str, StepError]


class Gather(Protocol):
    """How several clouds are asked: by threads (`ThreadGather`), or one after the other in a simulation.

    Raises:
        UploadRejectedError: One cloud said it, and it would be the same on every other.
    """

    def __call__(
        self, tasks: Mapping[str, Callable[[], Answer]], *, needed: int, enough: int | None = None
    ) -> Gathered[Answer]:
        """Do `needed` tasks; with `enough` of them done, do not wait for those that are slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadGather:
    """Runs the first `needed` tasks at once, and a further one whenever one fails or all are slow.

    It returns when `needed` are done, when nothing is left that could be, or when the time is up. What still runs then
    goes on by itself: whatever it does must be harmless.

    Attributes:
        hedge_after_s: How long nothing may come before a further task is started.
        timeout_s: For all together, in steps of `hedge_after_s`.
    """

    hedge_after_s: float = 1.0
    timeout_s: float = 8.0

    def __call__(
        self, tasks: Mapping[str, Callable[[], Answer]], *, needed: int, enough: int | None = None
    ) -> Gathered[Answer]:
        """As `Gather`; slow is what has not come within `hedge_after_s` of the last answer."""
        waiting = list(tasks.items())
        pool = ThreadPoolExecutor(max_workers=len(tasks) or 1, thread_name_prefix="gather")
        running: dict[Future[Answer], str] = {}
        done: dict[str, Answer] = {}
        failed: dict[str, StepError] = {}
        waited_s = 0.0

        def start(count: int) -> None:
            for name, task in (waiting.pop(0) for _ in range(min(count, len(waiting)))):
                running[pool.submit(task)] = name

        start(needed)
        while running and len(done) < needed and waited_s < self.timeout_s:
            finished, _ = wait(running, timeout=self.hedge_after_s, return_when=FIRST_COMPLETED)
            if not finished and enough is not None and len(done) >= enough:
                break
            if not finished:
                waited_s += self.hedge_after_s
                start(1)
            for future in finished:
                _sort_in(future, running.pop(future), done, failed)
            start(needed - len(done) - len(running))
        pool.shutdown(wait=False, cancel_futures=True)
        if len(done) < needed:
            failed |= {name: TransientError(f"{name} did not answer in time") for name in running.values()}
        return Gathered(done=done, failed=failed)


def _sort_in(future: Future[Answer], name: str, done: dict[str, Answer], failed: dict[str, StepError]) -> None:
    error = future.exception()
    if error is None:
        done[name] = future.result()
    elif isinstance(error, StepError) and not isinstance(error, UploadRejectedError):
        failed[name] = error
    else:
        raise error
