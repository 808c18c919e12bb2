"""The operator's commands that change the route: each prints its plan, refuses the unsafe, asks, does, and tells."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from core.switch import Switch
from handlers.cli import CommandError
from handlers.failover.route import Change, carry_out, make_plan, plan_lines, result_lines
from handlers.failover.view import Operator, View
from handlers.peers.wire import route_to_json


def switch(options: argparse.Namespace, operator: Operator) -> bool:
    return _change(options, operator, {"active": options.to})


def pin(options: argparse.Namespace, operator: Operator) -> bool:
    return _change(options, operator, {"pinned": True})


def unpin(options: argparse.Namespace, operator: Operator) -> bool:
    return _change(options, operator, {"pinned": False})


def hold(options: argparse.Namespace, operator: Operator) -> bool:
    until_at_ms = operator.clock_ms() + options.for_s * 1000 if options.for_s else 0
    return _change(options, operator, {"held_until_at_ms": until_at_ms})


def _change(options: argparse.Namespace, operator: Operator, fields: Mapping[str, object]) -> bool:
    """Plan, refuse, ask, do. Whether a majority holds it in the end."""
    reason = options.reason or f"{options.command} by an operator"
    view = operator.look()
    plan = make_plan(view, Change(command=options.command, fields=fields, reason=reason), is_forced=options.force)
    print("\n".join(plan_lines(plan, view)), file=sys.stderr)
    if not plan.is_needed:
        _tell(options, ["Nothing to do: a majority holds it already."], switch=None, view=view)
        return True
    _require_consent(options, operator)
    made = carry_out(plan, view, peers=operator.peers, gather=operator.gather, clock_ms=operator.clock_ms)
    _tell(options, result_lines(made, now_ms=operator.clock_ms()), switch=made, view=view)
    return made.is_done


def _require_consent(options: argparse.Namespace, operator: Operator) -> None:
    if options.yes:
        return
    if operator.ask is None:
        raise CommandError("nothing was changed: there is no terminal to ask at; --yes goes ahead without asking")
    if not operator.ask("Go ahead? [y/N] "):
        raise CommandError("nothing was changed, as you said")


def _tell(options: argparse.Namespace, lines: Sequence[str], *, switch: Switch | None, view: View) -> None:
    if not options.json:
        print("\n".join(lines))
        return
    held = switch.held if switch else view.held
    route = switch.route if switch else view.chosen
    result: dict[str, Any] = {
        "is_done": switch.is_done if switch else True,
        "route": route_to_json(route) if route else None,
        "held": {cloud: route_to_json(each) for cloud, each in held.items()},
        "failed": dict(switch.failed) if switch else dict(view.silent),
    }
    print(json.dumps(result, ensure_ascii=False, indent=2))
