"""What the operator's commands see of all clouds at one moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.gather import Gather
from core.peer import Look, Peer
from core.ports import Cloud
from core.route import Route, chosen_route


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at every cloud.

    Attributes:
        clouds: All of them, as they were named.
        looks: By cloud, of those that answered.
        silent: Why the others did not, or not as they should.
        at_ms: When we looked, by our clock.
    """

    clouds: Sequence[str]
    looks: Mapping[str, Look]
    silent: Mapping[str, str]
    at_ms: int

    @property
    def held(self) -> dict[str, Route]:
        """The route that each cloud holds, of those that tell."""
        return {cloud: look.route for cloud, look in self.looks.items() if look.route is not None}

    @property
    def chosen(self) -> Route | None:
        """The route that counts: the newest that a majority holds."""
        return chosen_route(self.held, cloud_count=len(self.clouds))

    def ailment(self, cloud: str) -> str:
        """What is wrong with a cloud, in words; "" if nothing is."""
        if cloud in self.silent:
            return f"cannot be asked: {self.silent[cloud]}"
        if cloud not in self.looks:
            return "is not among the clouds"
        failed = self.looks[cloud].failed
        return f"not well: {', '.join(failed)}" if failed else ""


def look_at(peers: Sequence[Peer], *, gather: Gather, now_ms: int) -> View:
    """Look at every cloud at once."""
    gathered = gather({peer.cloud: peer.look for peer in peers}, needed=len(peers))
    return View(
        clouds=[peer.cloud for peer in peers],
        looks=gathered.done,
        silent={cloud: str(error).removeprefix(f"{cloud}: ") for cloud, error in gathered.failed.items()},
        at_ms=now_ms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What the commands work with.

    Attributes:
        connect: Gives a cloud's own services; only `drain` asks.
        ask: Asks a person a question that is answered with yes or no; None where there is nobody to ask.
    """

    peers: Sequence[Peer]
    gather: Gather
    clock_ms: Callable[[], int]
    connect: Callable[[str], Cloud]
    ask: Callable[[str], bool] | None

    def look(self) -> View:
        return look_at(self.peers, gather=self.gather, now_ms=self.clock_ms())


def describe_route(route: Route, *, now_ms: int) -> str:
    """The route in a few words, as in `aws, epoch 3, pinned`."""
    words = [route.active, f"epoch {route.epoch}"]
    if route.pinned:
        words.append("pinned")
    if route.held_until_at_ms > now_ms:
        words.append(f"held {(route.held_until_at_ms - now_ms) // 1000} s more")
    return ", ".join(words)
