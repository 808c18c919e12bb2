"""Moves, pins and holds the route for an operator: plan, refuse what is unsafe, ask, do, tell.

switch  active = C       refused while pinned, and to a cloud that is not well (but for --force)
pin     pinned           nothing moves the route by itself, however ill the active cloud is
unpin   not pinned
hold    held until T     likewise, until then
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.gather import Gather
from core.peer import Peer
from core.route import REASON_MAX_CHARS, Route, majority_of, next_route
from core.switch import Switch, current_route, move, offer
from handlers.cli import CommandError
from handlers.failover.view import View, describe_route

HOLD_MAX_S = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an operator wants of the route.

    Attributes:
        command: As typed.
        fields: Fields of `core.route.Route` and their new values.
        reason: Kept with the route, for whoever reads it later.
    """

    command: str
    fields: Mapping[str, object]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change that may be made. `is_needed` is false if a majority holds it already."""

    change: Change
    before: Route
    after: Route
    is_needed: bool
    notes: Sequence[str]


def make_plan(view: View, change: Change, *, is_forced: bool) -> Plan:
    """What the change would do.

    Raises:
        NoMajorityError: Too few clouds can be asked.
        CommandError: It is unsafe, or makes no sense; the message names the remedy.
    """
    before = current_route(view.held, cloud_count=len(view.clouds))
    if set(before.order) != set(view.clouds):
        raise CommandError(
            f"the route is of {', '.join(before.order)}, and asked were {', '.join(view.clouds)}: "
            "name exactly the route's clouds in the peers, for a majority is counted of them"
        )
    active = str(change.fields.get("active", before.active))
    if active not in before.order:
        raise CommandError(f"there is no cloud {active!r}; there are: {', '.join(before.order)}")
    after = replace(before, **change.fields)  # type: ignore[arg-type]
    is_needed = view.chosen is None or after.value != before.value
    if is_needed:
        _refuse_unsafe(view, change, before, active, is_forced=is_forced)
    return Plan(
        change=change,
        before=before,
        after=next_route(view.held, after),
        is_needed=is_needed,
        notes=_notes(view, before, after),
    )


def _refuse_unsafe(view: View, change: Change, before: Route, active: str, *, is_forced: bool) -> None:
    if change.command == "switch" and before.pinned:
        raise CommandError(f"the route is pinned to {before.active}: `sls failover unpin` first")
    keeps_moving = change.command == "unpin" or change.fields.get("held_until_at_ms") == 0
    ailment = view.ailment(active)
    if ailment and not keeps_moving and not is_forced:
        raise CommandError(f"{active} {_is(ailment)}; with --force it is done all the same")


def _is(ailment: str) -> str:
    return f"is {ailment}" if ailment.startswith("not well") else ailment


def _notes(view: View, before: Route, after: Route) -> list[str]:
    notes = []
    preferred = after.order[: after.order.index(after.active)]
    may_move_back = not after.pinned and after.held_until_at_ms <= view.at_ms
    if after.active != before.active and preferred and may_move_back:
        notes.append(
            f"{preferred[0]} is preferred to {after.active}: well for a while, it becomes active again by "
            "itself. `sls failover pin` or `hold` prevents that."
        )
    if after.pinned and not before.pinned:
        notes.append(f"Pinned, {after.active} stays active even when it fails, until `sls failover unpin`.")
    return notes


def plan_lines(plan: Plan, view: View) -> list[str]:
    """The plan in words."""
    before, after, now_ms = plan.before, plan.after, view.at_ms
    lines = [
        f"Plan: {plan.change.command}: from {describe_route(before, now_ms=now_ms)} "
        f"to {describe_route(after, now_ms=now_ms)}. It is done when {majority_of(len(view.clouds))} of "
        f"{len(view.clouds)} clouds hold it."
    ]
    for cloud in view.clouds:
        held = view.held.get(cloud)
        holds = f"holds {describe_route(held, now_ms=now_ms)}" if held else "tells no route"
        lines.append(f"  {cloud}: {holds}; {view.ailment(cloud) or 'well'}")
    return [*lines, *(f"Note: {note}" for note in plan.notes)]


def carry_out(plan: Plan, view: View, *, peers: Sequence[Peer], gather: Gather, clock_ms: Callable[[], int]) -> Switch:
    """Offer the new route to every cloud; what the view showed is what it is to follow, or it is not taken.

    If too few take it and some did not answer, they are asked once more: their answer may have been lost.
    """
    change = plan.change
    switch = move(
        view.held,
        change.fields,
        reason=change.reason[:REASON_MAX_CHARS],
        now_ms=clock_ms(),
        peers=peers,
        gather=gather,
    )
    if switch.is_done or not switch.failed:
        return switch
    again = offer(switch.route, peers=[peer for peer in peers if peer.cloud in switch.failed], gather=gather)
    return Switch(route=switch.route, held={**switch.held, **again.held}, failed=again.failed)


def result_lines(switch: Switch, *, now_ms: int) -> list[str]:
    """What came of it, in words."""
    offered = describe_route(switch.route, now_ms=now_ms)
    takers = [cloud for cloud in switch.route.order if switch.held.get(cloud) == switch.route]
    cloud_count = len(switch.route.order)
    verdict = "Done" if switch.is_done else "Not done"
    lines = [f"{verdict}: {offered} is held by {len(takers)} of {cloud_count} clouds ({', '.join(takers) or 'none'})."]
    for cloud, held in switch.held.items():
        if held != switch.route:
            lines.append(f"  {cloud}: another switch was quicker: it holds {describe_route(held, now_ms=now_ms)}")
    lines += [f"  {cloud}: {reason.removeprefix(f'{cloud}: ')}" for cloud, reason in switch.failed.items()]
    if switch.is_done and switch.failed:
        lines.append("  The clouds that did not answer take it from the others once they do.")
    if not switch.is_done:
        lines.append("Look with `sls failover status`, and decide again.")
    return lines
