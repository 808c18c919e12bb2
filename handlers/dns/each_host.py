"""Does something at each DNS host, one after the other, so that a dead or hung one does not stop the next."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[Answer]):
    """What came of it at one DNS host: an answer, or why there is none."""

    answer: Answer | None = None
    error: str = ""


def at_each(tasks: Mapping[str, Callable[[], Answer]], *, timeout_s: float) -> dict[str, Done[Answer]]:
    """Run each task in a thread of its own and wait for it before the next one starts.

    A task that raises, whatever it raises, or takes longer than `timeout_s`, is reported and left behind. One that is
    left behind may still change something: the error says so.
    """
    done = {}
    for host, task in tasks.items():
        pool = ThreadPoolExecutor(1, thread_name_prefix=f"dns-{host}")
        future = pool.submit(task)
        wait([future], timeout=timeout_s)
        pool.shutdown(wait=False)
        done[host] = _outcome(future, timeout_s)
    return done


def _outcome(future: Future[Answer], timeout_s: float) -> Done[Answer]:
    if not future.done():
        return Done(error=f"no answer within {timeout_s:g} s; what it still does is unknown: plan again")
    error = future.exception()
    if error is not None:
        return Done(error=f"{type(error).__name__}: {error}")
    return Done(answer=future.result())
