"""The operator's commands for the name that clients use: plan, apply, switch, timings.

Results go to standard output, questions and errors to standard error. Exit status: 0 done, 1 refused, failed at one DNS
host or lost a race, 2 misused.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from handlers.dns.declaration import Declaration, DeclarationError, read_declaration
from handlers.dns.each_host import Done, at_each
from handlers.dns.hosts import make_host
from handlers.dns.plan import DnsHost, HostPlan, why_refused
from handlers.dns.serving import ask_targets
from handlers.dns.timings import timings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Where a command gets what it needs; tests give their own."""

    make: Callable[[str, Declaration, Mapping[str, bool]], DnsHost]
    ask: Callable[[Declaration], Mapping[str, bool]]
    confirm: Callable[[str], bool]


def main(arguments: list[str], *, session: Session | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        declaration = read_declaration(options.file)
        if options.command == "timings":
            return show_timings(declaration, as_json=options.json)
        if options.command == "switch" and options.to not in declaration.targets:
            raise DeclarationError(f"--to: one of {', '.join(declaration.targets)}, not {options.to}")
    except DeclarationError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return run(options, declaration, session or _session())


def run(options: argparse.Namespace, declaration: Declaration, session: Session) -> int:
    """Plan, and apply what may be applied."""
    serving = session.ask(declaration)
    look = partial(_look, declaration=declaration, session=session, serving=serving, options=options)
    plans = at_each({host: partial(look, host) for host in declaration.hosts}, timeout_s=options.host_timeout_s)
    report = {host: _planned(done, serving) for host, done in plans.items()}
    wanted = {host: done.answer for host, done in plans.items() if report[host]["result"] == "planned" and done.answer}
    if options.command == "plan":
        return _finish(report, declaration, serving, as_json=options.json)
    if wanted and not options.yes:
        _print(report, declaration, serving, file=sys.stderr)
        if not session.confirm(f"Apply at {', '.join(wanted)}? [y/N] "):
            wanted = {}
            report = {
                host: part | {"result": "declined"} if part["result"] == "planned" else part
                for host, part in report.items()
            }
    for host, done in at_each({h: plan.apply for h, plan in wanted.items()}, timeout_s=options.host_timeout_s).items():
        report[host] |= {"result": "failed", "error": done.error} if done.error else {"result": "applied"}
    return _finish(report, declaration, serving, as_json=options.json)


def show_timings(declaration: Declaration, *, as_json: bool) -> int:
    """Print what a failover takes, computed."""
    rows = timings_of(declaration)
    if as_json:
        print(
            json.dumps(
                {t.host: {"detect_s": t.detect_s, "ttl_s": t.ttl_s, "total_s": t.total_s} for t in rows}, indent=2
            )
        )
        return 0
    for timing in rows:
        parts = f"{timing.detect_s:4} s to notice + {timing.ttl_s:3} s TTL = {timing.total_s:4} s"
        print(f"{timing.host:18} {parts} (computed)")
    return 0


def _look(
    host: str, *, declaration: Declaration, session: Session, serving: Mapping[str, bool], options: argparse.Namespace
) -> HostPlan | None:
    made = session.make(host, declaration, serving)
    return made.plan_switch(declaration.targets[options.to]) if options.command == "switch" else made.plan()


def _planned(done: Done[HostPlan | None], serving: Mapping[str, bool]) -> dict[str, Any]:
    if done.error:
        return {"result": "failed", "error": done.error, "changes": []}
    if done.answer is None:
        return {"result": "not switched", "note": "health checks decide here: switch the route instead", "changes": []}
    refused = why_refused(done.answer, serving)
    result = "refused" if refused else "planned" if done.answer.changes else "as declared"
    return {"result": result, "error": refused, "note": done.answer.note, "changes": list(done.answer.changes)}


def _finish(report: dict[str, Any], declaration: Declaration, serving: Mapping[str, bool], *, as_json: bool) -> int:
    if as_json:
        clouds = {cloud: serving[target] for cloud, target in declaration.targets.items()}
        print(json.dumps({"name": declaration.fqdn, "serving": clouds, "hosts": report}, indent=2, ensure_ascii=False))
    else:
        _print(report, declaration, serving, file=sys.stdout)
    return int(any(part["result"] in ("failed", "refused", "declined") for part in report.values()))


def _print(report: Mapping[str, Any], declaration: Declaration, serving: Mapping[str, bool], *, file: Any) -> None:
    for cloud, target in declaration.targets.items():
        print(f"{cloud:18} {'serves' if serving[target] else 'does not serve'} ({target})", file=file)
    for host, part in report.items():
        print(f"{host:18} {part['result']}{': ' + part['error'] if part.get('error') else ''}", file=file)
        for line in [*part["changes"], *([f"note: {part['note']}"] if part.get("note") else [])]:
            print(f"{'':18} {line}", file=file)


def _session() -> Session:
    def make(host: str, declaration: Declaration, serving: Mapping[str, bool]) -> DnsHost:
        return make_host(host, declaration, serving=serving, environment=os.environ)

    return Session(make=make, ask=ask_targets, confirm=_confirm)


def _confirm(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handlers.dns", description=(__doc__ or "").split("\n")[0])
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--file", type=Path, default=Path("dns.yml"), help="the declaration (default: %(default)s)")
    common.add_argument("--json", action="store_true", help="print the outcome as JSON")
    common.add_argument(
        "--host-timeout-s", type=float, default=60.0, help="how long to wait for one DNS host (%(default)s)"
    )
    change = argparse.ArgumentParser(add_help=False)
    change.add_argument("--yes", action="store_true", help="do not ask")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("plan", parents=[common], help="show what would change at each DNS host")
    commands.add_parser("apply", parents=[common, change], help="make each DNS host as declared")
    switch = commands.add_parser("switch", parents=[common, change], help="move static records to one cloud")
    switch.add_argument("--to", required=True, help="the cloud, as named under targets")
    commands.add_parser("timings", parents=[common], help="compute how long a failover takes")
    return parser


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a thread that still waits for a dead DNS host must not keep the command open
