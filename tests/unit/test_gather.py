"""Several things at once: enough of them, not all of them."""

import threading

import pytest

from core.errors import TransientError, UploadRejectedError
from core.gather import ThreadGather


def test_first_answers_win() -> None:
    """It returns when enough are done; the slow one is not waited for."""
    release = threading.Event()
    tasks = {"slow": lambda: release.wait(30), "quick": lambda: True, "spare": lambda: True}

    found = ThreadGather(hedge_after_s=0.05, timeout_s=10)(tasks, needed=2)

    assert found.done == {"quick": True, "spare": True}
    release.set()


def test_spare_is_not_used_without_need() -> None:
    """Where the first answer, the others are not even started."""
    started: list[str] = []
    tasks = {name: lambda name=name: started.append(name) for name in ("a", "b", "c")}

    ThreadGather(hedge_after_s=5)(tasks, needed=2)

    assert sorted(started) == ["a", "b"]


def test_failure_brings_in_the_spare_at_once() -> None:
    """A task that fails is replaced without waiting, and its error is told."""

    def fail() -> bool:
        raise TransientError("no")

    found = ThreadGather(hedge_after_s=30)({"bad": fail, "good": lambda: True, "spare": lambda: True}, needed=2)

    assert found.done.keys() == {"good", "spare"}
    assert str(found.failed["bad"]) == "no"


def test_enough_does_not_wait_for_the_slow() -> None:
    """All are wanted; with enough of them done, one that hangs is not waited for."""
    release = threading.Event()
    tasks = {"hangs": lambda: release.wait(30), "a": lambda: True, "b": lambda: True}

    found = ThreadGather(hedge_after_s=0.05, timeout_s=20)(tasks, needed=3, enough=2)

    assert found.done.keys() == {"a", "b"}
    release.set()


def test_time_is_limited() -> None:
    """What never answers is told as failed when the time is up."""
    release = threading.Event()

    found = ThreadGather(hedge_after_s=0.05, timeout_s=0.1)({"dead": lambda: release.wait(30)}, needed=1)

    assert found.done == {}
    assert "in time" in str(found.failed["dead"])
    release.set()


def test_rejection_ends_it() -> None:
    """What one cloud rejects is not tried on the others."""
    started: list[str] = []

    def reject() -> bool:
        raise UploadRejectedError("no")

    with pytest.raises(UploadRejectedError):
        ThreadGather()({"a": reject, "b": lambda: started.append("b")}, needed=1)

    assert started == []


def test_defect_is_not_swallowed() -> None:
    """An error that is no StepError is a defect, and raised."""

    def defect() -> bool:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        ThreadGather()({"a": defect}, needed=1)
