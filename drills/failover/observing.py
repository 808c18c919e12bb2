"""Watches the clouds during a drill: who holds which route, who suspects whom, and where the name leads."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from drills.failover.history import Event
from drills.failover.load.http_client import NoAnswerError, ask
from drills.failover.scene import LookAtCloud, LookFailedError, Pace
from drills.failover.verdict.control_rows import CastVote, HeldRoute

_STATUS_TIMEOUT_S = 2.0


class Observer:
    """Looks again and again, on a thread of its own, past all faults where that can be.

    Attributes:
        events: Changes of route, votes and name, as they were seen.
        routes: (when, active cloud) of each route that a majority was seen to hold; the active cloud changed.
        suspicions: (when by the voter's clock, voter, cloud) of each vote that begins to suspect a cloud.
    """

    def __init__(
        self, looks: Mapping[str, LookAtCloud], *, pace: Pace, name_status_url: str, say: Callable[[Event], None]
    ) -> None:
        self.events: list[Event] = []
        self.routes: list[tuple[int, str]] = []
        self.suspicions: list[tuple[int, str, str]] = []
        self._looks, self._pace, self._name_status_url = looks, pace, name_status_url
        self._say = say
        self._held: dict[str, HeldRoute] = {}
        self._votes: dict[str, CastVote] = {}
        self._suspected: set[tuple[str, str]] = set()
        self._unread: set[str] = set()
        self._chosen: HeldRoute | None = None
        self._name_answer: Sequence[str] = ()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer")

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def active(self) -> str:
        """By the route that a majority holds; "" while there is none."""
        return self.routes[-1][1] if self.routes else ""

    @property
    def chosen(self) -> HeldRoute | None:
        return self._chosen

    def is_settled(self, active: str) -> bool:
        """Whether every cloud holds the same route, with this cloud active, and none is suspected."""
        held = list(self._held.values())
        agreed = len(held) in (0, len(self._looks)) and len(set(held)) <= 1
        is_active = all(route.active == active for route in held)
        all_voted = len(self._votes) == len(self._looks)
        return agreed and is_active and all_voted and not self._ailing()

    def note(self, kind: str, cloud: str, text: str) -> None:
        """Add an event that the drill itself made."""
        self._add(_now_ms(), kind, cloud, text)

    def _ailing(self) -> set[str]:
        return {cloud for vote in self._votes.values() for cloud, seen in vote.seen.items() if seen.failed}

    def _run(self) -> None:
        while not self._stopped.wait(self._pace.control_s):
            for cloud, look in self._looks.items():
                try:
                    self._look(cloud, look)
                    self._unread.discard(cloud)
                except LookFailedError as error:
                    if cloud not in self._unread:
                        self._unread.add(cloud)
                        self._add(_now_ms(), "note", cloud, f"its route and vote cannot be read: {error}"[:300])
            self._see_majority()
            if self._name_status_url:
                self._look_at_name()

    def _look(self, cloud: str, look: LookAtCloud) -> None:
        route, vote = look()
        if route is not None:
            self._held[cloud] = route
        if vote is not None and vote != self._votes.get(cloud):
            self._votes[cloud] = vote
            for about, seen in vote.seen.items():
                is_suspected = seen.fail_count >= self._pace.fail_count
                pair = (cloud, about)
                if is_suspected and pair not in self._suspected:
                    self._suspected.add(pair)
                    self.suspicions.append((vote.at_ms, cloud, about))
                    self._add(vote.at_ms, "health", about, f"{cloud} suspects it: {', '.join(seen.failed)}")
                elif not seen.failed and pair in self._suspected:
                    self._suspected.remove(pair)
                    self._add(vote.at_ms, "health", about, f"{cloud} sees it well again")

    def _see_majority(self) -> None:
        counts = Counter(self._held.values())
        chosen = [route for route, count in counts.items() if count > len(self._looks) // 2]
        if not chosen or chosen[0] == self._chosen:
            return
        self._chosen = chosen[0]
        now_ms = _now_ms()
        if self.active != chosen[0].active:
            self.routes.append((now_ms, chosen[0].active))
        pinned = ", pinned" if chosen[0].is_pinned else ""
        text = f"epoch {chosen[0].epoch}: {chosen[0].active} is active{pinned} ({chosen[0].reason or 'no reason told'})"
        self._add(now_ms, "route", chosen[0].active, text)

    def _look_at_name(self) -> None:
        try:
            answer = ask("GET", self._name_status_url, headers={}, until_s=time.monotonic() + _STATUS_TIMEOUT_S)
        except NoAnswerError:
            return
        status = answer.fields
        if status["answer"] != self._name_answer:
            self._name_answer = status["answer"]
            clouds = ", ".join(status["answer"])
            self._add(_now_ms(), "dns", status["answer"][0], f"the name leads to {clouds}")

    def _add(self, at_ms: int, kind: str, cloud: str, text: str) -> None:
        event = Event(at_ms=at_ms, kind=kind, cloud=cloud, text=text)
        self.events.append(event)
        self._say(event)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
