"""All clouds at a glance: `npx sls failover status`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from core.peer import Look
from core.route import majority_of
from core.votes import Capability, Seen, Vote
from handlers.cli import print_table
from handlers.failover.ledgers import Lag
from handlers.failover.view import View, describe_route
from handlers.peers.wire import route_to_json

_NOT_MEASURED = "not measured"


def status_to_json(view: View, *, lag: Lag | None) -> dict[str, Any]:
    """The whole view.

    Returns:
        {"at_ms", "route": route or None if no majority holds one, "held_by": [cloud, …], "clouds": {cloud: {"answers",
        "error", "capabilities": {name: "ok" | "failed" | "unknown"}, "vote", "route", "work", "parked_count"}},
        "replication": "not measured" or {"settled_count", "missing_count", "differing_count", "unread"}}
    """
    chosen = view.chosen
    return {
        "at_ms": view.at_ms,
        "route": route_to_json(chosen) if chosen else None,
        "held_by": [cloud for cloud, held in view.held.items() if held == chosen],
        "clouds": {cloud: _cloud_to_json(view, cloud) for cloud in view.clouds},
        "replication": asdict(lag) if lag else _NOT_MEASURED,
    }


def _cloud_to_json(view: View, cloud: str) -> dict[str, Any]:
    look = view.looks.get(cloud)
    return {
        "answers": look is not None,
        "error": view.silent.get(cloud, "" if look else "no answer"),
        "capabilities": _capabilities(look),
        "vote": _vote_to_json(look.vote) if look and look.vote else None,
        "route": route_to_json(look.route) if look and look.route else None,
        "work": asdict(look.work) if look and look.work else None,
        "parked_count": look.parked_count if look else None,
    }


def _vote_to_json(vote: Vote) -> dict[str, Any]:
    return {"at_ms": vote.at_ms, "seen": {cloud: asdict(seen) for cloud, seen in vote.seen.items()}}


def _capabilities(look: Look | None) -> dict[str, str]:
    if look is None:
        return {name.value: "failed" if name is Capability.API else "unknown" for name in Capability}
    return {name.value: "failed" if name in look.failed else "ok" for name in Capability}


def print_status(view: View, *, lag: Lag | None, as_json: bool) -> None:
    """Print the view for a person or for a program."""
    if as_json:
        print(json.dumps(status_to_json(view, lag=lag), ensure_ascii=False, indent=2))
        return
    for line in _route_lines(view):
        print(line)
    print()
    titles = ("cloud", *(name.value for name in Capability), "route held", "waiting", "in flight", "parked")
    print_table(titles, [_cloud_row(view, cloud) for cloud in view.clouds])
    votes = {cloud: look.vote for cloud, look in view.looks.items() if look.vote is not None}
    if votes:
        print()
        print_table(("vote of", "age", *view.clouds), [_vote_row(vote, view) for vote in votes.values()])
    print()
    for line in _lag_lines(lag):
        print(line)
    for cloud in view.clouds:
        if cloud not in view.looks:
            print(f"{cloud} {view.ailment(cloud)}")


def _route_lines(view: View) -> list[str]:
    chosen, held = view.chosen, view.held
    needed = majority_of(len(view.clouds))
    if chosen is None:
        if len(held) < needed:
            return [f"No route counts: {len(held)} of {len(view.clouds)} clouds tell theirs, {needed} are needed."]
        return ["No route counts: no majority holds the same one. A switch is under way, or was broken off."]
    count = sum(each == chosen for each in held.values())
    lines = [
        f"Active: {describe_route(chosen, now_ms=view.at_ms)} (held by {count} of {len(view.clouds)} clouds, "
        f"{needed} are needed; order {', '.join(chosen.order)})"
    ]
    if chosen.epoch:
        lines.append(f"Since {_time(chosen.changed_at_ms)}: {_printable(chosen.reason) or 'no reason given'}")
    if set(chosen.order) != set(view.clouds):
        lines.append("The route's clouds are not the ones asked here: correct the peers.")
    newer = [route for route in held.values() if route.epoch > chosen.epoch]
    if newer:
        lines.append(f"Epoch {max(route.epoch for route in newer)} is held by a minority: a switch is under way.")
    return lines


def _cloud_row(view: View, cloud: str) -> tuple[str, ...]:
    look = view.looks.get(cloud)
    capabilities = [{"ok": "ok", "failed": "FAILED", "unknown": "?"}[each] for each in _capabilities(look).values()]
    route = describe_route(look.route, now_ms=view.at_ms) if look and look.route else "?"
    work = look.work if look else None
    depth = (str(work.visible_count), str(work.in_flight_count)) if work else ("?", "?")
    parked = "?" if look is None or look.parked_count is None else str(look.parked_count)
    return (cloud, *capabilities, route, *depth, parked)


def _vote_row(vote: Vote, view: View) -> tuple[str, ...]:
    age_s = max(0, view.at_ms - vote.at_ms) // 1000
    return (vote.voter, f"{age_s} s", *(_seen(vote.seen, cloud) for cloud in view.clouds))


def _seen(seen: Mapping[str, Seen], cloud: str) -> str:
    of_cloud = seen.get(cloud, Seen())
    clients = f", {of_cloud.client_failure_count} clients fail" if of_cloud.client_failure_count else ""
    if of_cloud.fail_count:
        return f"{', '.join(of_cloud.failed)} failed ×{of_cloud.fail_count}{clients}"
    return f"well ×{of_cloud.ok_count}{clients}" if of_cloud.ok_count else f"not seen{clients}"


def _lag_lines(lag: Lag | None) -> Sequence[str]:
    if lag is None:
        return [f"Replication lag: {_NOT_MEASURED}; --deep reads every ledger."]
    lines = [f"Replication: {lag.settled_count} uploads and deletions are settled in one ledger at least."]
    lines += [f"  {cloud} lacks {count} of them" for cloud, count in lag.missing_count.items()]
    lines.append(f"  {lag.differing_count} stand differently in two ledgers")
    lines += [f"  {cloud} could not be read: {reason}" for cloud, reason in lag.unread.items()]
    return lines


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)
