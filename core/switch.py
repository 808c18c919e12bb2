"""Moves the route: all clouds are offered the new one, and it counts when a majority holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from core.errors import StepError
from core.gather import Gather
from core.peer import Peer
from core.route import REASON_MAX_CHARS, Route, chosen_route, majority_of, next_route


class NoMajorityError(StepError):
    """Fewer than a majority of the clouds can be asked, so nothing is changed anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What an attempt to move the route came to.

    Attributes:
        route: What was offered.
        held: What each cloud that answered holds now.
        failed: Why the others did not answer.
        is_done: A majority of all clouds holds it.
    """

    route: Route
    held: Mapping[str, Route]
    failed: Mapping[str, str]

    @property
    def is_done(self) -> bool:
        taken_count = sum(held == self.route for held in self.held.values())
        return taken_count >= majority_of(len(self.route.order))


def offer(route: Route, *, peers: Sequence[Peer], gather: Gather) -> Switch:
    """Offer a route to every cloud. Another switch to the same epoch, or a later one, may have been quicker."""
    tasks = {peer.cloud: partial(peer.offer_route, route) for peer in peers}
    gathered = gather(tasks, needed=len(tasks))
    failed = {cloud: str(error) for cloud, error in gathered.failed.items()}
    return Switch(route=route, held=gathered.done, failed=failed)


def current_route(held: Mapping[str, Route], *, cloud_count: int) -> Route:
    """The route that counts, or if no majority holds one, the newest that is held; of equally new ones a pinned one.

    Raises:
        NoMajorityError: Fewer than a majority could be asked.
    """
    needed = majority_of(cloud_count)
    if len(held) < needed:
        raise NoMajorityError(f"{len(held)} of {cloud_count} clouds can be asked for their route; {needed} are needed")
    return chosen_route(held, cloud_count=cloud_count) or max(
        held.values(), key=lambda route: (route.epoch, route.pinned)
    )


def move(
    held: Mapping[str, Route],
    change: Mapping[str, object],
    *,
    reason: str,
    now_ms: int,
    peers: Sequence[Peer],
    gather: Gather,
) -> Switch:
    """Change the current route as a person asked: `change` names its fields and their new values.

    Args:
        held: By cloud, as just read.

    Raises:
        NoMajorityError: As `current_route`.
        ValueError: The new route makes no sense.
    """
    route = current_route(held, cloud_count=len(peers))
    moved = replace(route, **change, reason=reason[:REASON_MAX_CHARS], changed_at_ms=now_ms)  # type: ignore[arg-type]
    return offer(next_route(held, moved), peers=peers, gather=gather)
