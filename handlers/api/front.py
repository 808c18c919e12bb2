"""What the API of one cloud stands on, and what it remembers for a second."""

import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from core.errors import StepError
from core.gather import Gather
from core.peer import Look, Peer
from core.route import Route, read_route
from core.site import Site
from core.votes import Capability
from handlers.peers.settings import PeerSettings

Answer = TypeVar("Answer")

REMEMBER_S = 1.0


class Front:
    """One cloud's API. `peers` are all clouds, this one (`site`) among them."""

    def __init__(
        self,
        *,
        site: Site,
        peers: Sequence[Peer],
        settings: PeerSettings,
        gather: Gather,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.site = site
        self.peers = peers
        self.settings = settings
        self.gather = gather
        self._route = _Remembered(self._read_route, monotonic_s)
        self._look = _Remembered(self._look_now, monotonic_s)

    @property
    def cloud(self) -> str:
        return self.site.cloud

    @property
    def has_peers(self) -> bool:
        return bool(self.settings.peers)

    def route(self) -> Route:
        """The route that this cloud holds, at most a second old.

        Raises:
            StepError: It cannot be read.
        """
        return self._route.get()

    def last_route(self) -> Route:
        """The route, or while it cannot be read the last one known: uploads are taken in all the same."""
        try:
            return self._route.get()
        except StepError:
            return self._route.last or self.site.initial

    def look(self) -> Look:
        """This cloud's look at itself, at most a second old."""
        return self._look.get()

    def offer_route(self, route: Route) -> Route:
        """Take a route, and forget what was remembered."""
        try:
            return self.site.offer_route(route)
        finally:
            self._route.forget()
            self._look.forget()

    def _read_route(self) -> Route:
        if not self.has_peers:
            return self.site.initial  # alone there is nothing to switch, and no control table
        return read_route(self.site.services.control, initial=self.site.initial)

    def _look_now(self) -> Look:
        if self.has_peers:
            return self.site.look()
        return Look(
            cloud=self.cloud,
            failed=() if self._can_read() else (Capability.LEDGER,),
            vote=None,
            route=self.site.initial,
            work=None,
            parked_count=None,
        )

    def _can_read(self) -> bool:
        try:
            self.site.services.ledger.get("health")
        except StepError:
            return False
        return True


class _Remembered(Generic[Answer]):
    """Asks at most once in a second; a failure is remembered, too."""

    def __init__(self, ask: Callable[[], Answer], monotonic_s: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic_s = monotonic_s
        self.last: Answer | None = None
        self._failure: StepError | None = None
        self._until_s = 0.0

    def get(self) -> Answer:
        if self._monotonic_s() >= self._until_s:
            try:
                self.last, self._failure = self._ask(), None
            except StepError as error:
                self._failure = error
            self._until_s = self._monotonic_s() + REMEMBER_S
        if self._failure is not None:
            raise self._failure
        assert self.last is not None, "a question that was asked has an answer or a failure"
        return self.last

    def forget(self) -> None:
        self._until_s = 0.0
