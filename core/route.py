"""Which cloud serves: the route, how a cloud takes a new one, and which of several clouds' routes counts.

Every cloud holds a copy, in its control table. A copy only ever moves to a higher epoch, and takes one value per epoch:

    epoch 4 ── a switch to 5 ──> epoch 5      another switch to 5, or a late one to 4, changes nothing

So of several switches to one epoch at most one reaches a majority of the clouds, and that is when a switch is done. A
value that reached a minority only is harmless (the route is advice), and is overtaken by the next epoch.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.errors import TransientError
from core.ports import Fields, Ledger

ROW_ID = "route"
WIRE_VERSION = 1
REASON_MAX_CHARS = 300

# Of several writers of the row each round lets one through; more than these are not the moment's fault.
_WRITE_TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who serves.

    Attributes:
        order: All clouds, the preferred one first. Its length is what a majority is counted of.
        epoch: Orders routes; from 1. 0 is the route of a cloud that was never told one.
        pinned: A person said that it stays as it is.
        held_until_at_ms: Until then nothing switches by itself.
        flap_count: Switches by itself in quick succession; each doubles the wait before the next failback.
        changed_at_ms: When it was made, by the clock of whoever made it.
    """

    active: str
    order: tuple[str, ...]
    epoch: int = 0
    pinned: bool = False
    held_until_at_ms: int = 0
    flap_count: int = 0
    reason: str = ""
    changed_at_ms: int = 0

    def __post_init__(self) -> None:
        if self.active not in self.order or len(set(self.order)) != len(self.order):
            raise ValueError(f"the route's order must name each cloud once, and {self.active!r} among them")
        if self.epoch < 0:
            raise ValueError("the route's epoch must be a whole number from 0")
        if len(self.reason) > REASON_MAX_CHARS:  # cut when stored, it would no longer be the route that was offered
            raise ValueError(f"the route's reason must have at most {REASON_MAX_CHARS} characters")

    @property
    def value(self) -> "Route":
        """The route without what only tells of its making: two clouds that agree have equal values."""
        return replace(self, epoch=0, reason="", changed_at_ms=0, flap_count=0)


def majority_of(cloud_count: int) -> int:
    """How many of so many clouds are more than half."""
    return cloud_count // 2 + 1


def route_to_fields(route: Route) -> Fields:
    return {
        "wire": WIRE_VERSION,
        "active": route.active,
        "clouds": json.dumps(route.order),
        "epoch": route.epoch,
        "pinned": int(route.pinned),
        "held_until_at_ms": route.held_until_at_ms,
        "flap_count": route.flap_count,
        "reason": route.reason,
        "changed_at_ms": route.changed_at_ms,
    }


def route_from_fields(fields: Fields) -> Route:
    """Read a row, or the JSON of `route_to_fields` that a peer sent.

    Raises:
        ValueError: A field is missing, of the wrong type, or makes no sense; the message names it.
    """
    if fields.get("wire") != WIRE_VERSION:
        raise ValueError(f"wire is {fields.get('wire')!r}; this version of Sluice reads routes of {WIRE_VERSION}")
    order = json.loads(_text(fields, "clouds"))
    if not isinstance(order, list) or not all(isinstance(cloud, str) for cloud in order):
        raise ValueError("clouds must be a list of names, in JSON")
    return Route(
        active=_text(fields, "active"),
        order=tuple(order),
        epoch=_number(fields, "epoch"),
        pinned=bool(_number(fields, "pinned")),
        held_until_at_ms=_number(fields, "held_until_at_ms"),
        flap_count=_number(fields, "flap_count"),
        reason=_text(fields, "reason"),
        changed_at_ms=_number(fields, "changed_at_ms"),
    )


def _text(fields: Fields, name: str) -> str:
    found = fields.get(name, "")
    if not isinstance(found, str):
        raise ValueError(f"{name} must be text")
    return found


def _number(fields: Fields, name: str) -> int:
    found = fields.get(name, 0)
    if type(found) is not int or found < 0:
        raise ValueError(f"{name} must be a whole number from 0")
    return found


def read_route(control: Ledger, *, initial: Route) -> Route:
    """The route that this cloud holds, or `initial` (of epoch 0) if it was never told one."""
    row = control.get(ROW_ID)
    return route_from_fields(row.fields) if row else initial


# Who may write the row: anybody with a higher epoch, and of several at once one.
#
#     epoch 4 ──> 5 (first)      the second of epoch 5 meets 5, which is not lower, and is told of it
def accept_route(control: Ledger, route: Route) -> Route:
    """Take a route if its epoch is higher than that of the one held.

    Returns:
        The route that is held afterwards: equal to `route` if it was taken, also if that happened earlier.
    """
    for _ in range(_WRITE_TRIES):
        row = control.get(ROW_ID)
        if row is not None:
            held = route_from_fields(row.fields)
            if held.epoch >= route.epoch:
                return held
        if control.put(ROW_ID, route_to_fields(route), expect=row.version if row else None) is not None:
            return route
    raise TransientError("too many others wrote the route")


def chosen_route(held: Mapping[str, Route], *, cloud_count: int) -> Route | None:
    """The newest route that a majority of all clouds holds.

    Args:
        held: By cloud, of those that could be asked.
        cloud_count: Of all clouds, asked or not.

    Returns:
        None if no route is held by a majority: too few could be asked, or a switch is under way or was broken off.
    """
    counts = Counter(held.values())
    chosen = [route for route, count in counts.items() if count >= majority_of(cloud_count)]
    return chosen[0] if chosen else None


def next_route(held: Mapping[str, Route], route: Route) -> Route:
    """`route` under an epoch that is higher than every one that is held, and not lower than its own."""
    return replace(route, epoch=max(route.epoch, *(known.epoch + 1 for known in held.values())))
