"""The clouds as the upload client sees them: in which order they are tried, and when one may be tried again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class OutOfTimeError(Exception):
    """The time is up before any cloud may be tried (again)."""


class NoCloudLeftError(Exception):
    """Each cloud refused in a way that no later try will change; the message says how."""


@dataclass(slots=True, kw_only=True, eq=False)
class CloudState:
    """One cloud.

    Attributes:
        name: "" where nobody told it.
        url: Of its API, without a slash at its end.
        fail_count: Failed tries in a row.
        due_s: When it may be tried again, by the monotonic clock.
        refusal: Why it is not tried any more, or "".
    """

    name: str
    url: str
    fail_count: int = 0
    due_s: float = 0.0
    refusal: str = ""

    @property
    def title(self) -> str:
        return self.name or self.url


@dataclass(slots=True, kw_only=True)
class CloudOrder:
    """All clouds, the one to be tried first at the front.

    Attributes:
        jitter: Gives a number uniform in [0, 1), so that clients do not come back in step.
        sleep: Waits so many seconds.
    """

    clouds: list[CloudState]
    monotonic_s: Callable[[], float]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]

    def prefer(self, name: str) -> None:
        """Try this cloud first from now on, if it is known and its last try did not fail."""
        self.clouds.sort(key=lambda cloud: cloud.name != name or cloud.fail_count > 0)

    def next_cloud(self, *, give_up_at_s: float) -> CloudState:
        """The first cloud that may be tried; waits until one may.

        Raises:
            OutOfTimeError: None may before `give_up_at_s`.
            NoCloudLeftError: None may at all.
        """
        left = [cloud for cloud in self.clouds if not cloud.refusal]
        if not left:
            raise NoCloudLeftError("; ".join(f"{cloud.title}: {cloud.refusal}" for cloud in self.clouds))
        now_s = self.monotonic_s()
        for cloud in left:
            if cloud.due_s <= now_s < give_up_at_s:
                return cloud
        soonest = min(left, key=lambda cloud: cloud.due_s)
        if max(now_s, soonest.due_s) >= give_up_at_s:
            raise OutOfTimeError("no cloud gave a receipt in time")
        self.sleep(soonest.due_s - now_s)
        return soonest

    def note_failure(self, cloud: CloudState, *, retry_after_s: int | None) -> None:
        """Leave a cloud alone for a while: as long as it asked, or twice as long each time. Others now come first."""
        self.clouds.remove(cloud)
        self.clouds.append(cloud)
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**cloud.fail_count) * (0.5 + self.jitter() / 2)
        cloud.fail_count = min(cloud.fail_count + 1, 20)
        cloud.due_s = self.monotonic_s() + (pause_s if retry_after_s is None else retry_after_s)

    def note_success(self, cloud: CloudState) -> None:
        cloud.fail_count, cloud.due_s = 0, 0.0


def cloud_states(named: Sequence[tuple[str, str]]) -> list[CloudState]:
    """From (name, url) of each."""
    return [CloudState(name=name, url=url.rstrip("/")) for name, url in named]
