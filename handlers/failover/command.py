"""The operator's commands about all clouds: `npx sls failover …` runs them.

Results go to standard output, plans, questions and everything else to standard error. Exit status: 0 done, 1 not done,
2 misused.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict

from core.errors import StepError
from handlers.cli import CommandError, print_table
from handlers.failover.change import hold, pin, switch, unpin
from handlers.failover.clouds import GATHER, CloudsUnknownError, connect_peers, find_clouds
from handlers.failover.drain import drain_cloud
from handlers.failover.ledgers import exchange, measure_lag
from handlers.failover.route import HOLD_MAX_S
from handlers.failover.status import print_status
from handlers.failover.view import Operator
from handlers.wiring import CLOUDS, clock_ms, connect


def main(arguments: list[str], *, make_operator: Callable[[argparse.Namespace], Operator] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        operator = (make_operator or _operator)(options)
        is_done: bool = options.run(options, operator)
    except (CommandError, CloudsUnknownError, StepError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0 if is_done else 1


def status(options: argparse.Namespace, operator: Operator) -> bool:
    """Show all clouds. False: none answers."""
    view = operator.look()
    lag = None
    if options.deep:
        stop_at_ms = operator.clock_ms() + options.for_s * 1000
        lag = measure_lag(operator.peers, clock_ms=operator.clock_ms, stop_at_ms=stop_at_ms)
    print_status(view, lag=lag, as_json=options.json)
    return bool(view.looks)


def reconcile(options: argparse.Namespace, operator: Operator) -> bool:
    """Merge every cloud's settled records into every other. False: not all of them."""
    stop_at_ms = operator.clock_ms() + options.for_s * 1000
    pairs = exchange(operator.peers, clock_ms=operator.clock_ms, stop_at_ms=stop_at_ms)
    if options.json:
        print(json.dumps({"pairs": [asdict(pair) for pair in pairs]}, ensure_ascii=False, indent=2))
    else:
        rows = [(pair.source, pair.target, str(pair.seen_count), str(pair.changed_count)) for pair in pairs]
        print_table(("from", "to", "records", "changed"), rows)
    for pair in pairs:
        if pair.error:
            print(f"{pair.source} to {pair.target} was not finished: {pair.error}", file=sys.stderr)
    return not any(pair.error for pair in pairs)


def drain(options: argparse.Namespace, operator: Operator) -> bool:
    """Work off a cloud's queue from here. False: the time was up before it was empty."""
    view = operator.look()
    stop_at_ms = operator.clock_ms() + options.for_s * 1000
    drained = drain_cloud(
        options.source,
        operator.connect(options.source),
        peers=operator.peers,
        route=view.chosen,
        clock_ms=operator.clock_ms,
        stop_at_ms=stop_at_ms,
        env=os.environ,
    )
    is_empty: bool = operator.clock_ms() < stop_at_ms
    if options.json:
        print(json.dumps({**asdict(drained), "is_empty": is_empty}, indent=2))
    else:
        end = "the queue gives nothing more" if is_empty else "the time was up"
        print(f"Messages done: {drained.done_count}; looks at ones that must wait: {drained.waiting_count}; {end}.")
    return is_empty


def _operator(options: argparse.Namespace) -> Operator:
    known = find_clouds(os.environ, path=options.peers)
    return Operator(
        peers=connect_peers(known, clock_ms=clock_ms),
        gather=GATHER,
        clock_ms=clock_ms,
        connect=connect,
        ask=_ask if sys.stdin is not None and sys.stdin.isatty() else None,
    )


def _ask(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _seconds(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"must be a whole number of seconds from {low} to {high}")
        return int(text)

    return read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sls failover", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--peers", metavar="FILE", help="where the clouds are (default: SLUICE_PEERS, or the local clouds)"
    )
    shared.add_argument("--json", action="store_true", help="print JSON, with every field")
    changing = argparse.ArgumentParser(add_help=False)
    changing.add_argument("--yes", action="store_true", help="do not ask")
    changing.add_argument("--force", action="store_true", help="also if the cloud is not well or does not answer")
    changing.add_argument("--reason", default="", help="kept with the route, for others to read")
    within = argparse.ArgumentParser(add_help=False)
    within.add_argument("--for-s", type=_seconds(1, 86_400), default=600, help="stop after this time (%(default)s)")

    def add(
        name: str, run: Callable[..., bool], usage: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[shared, *parents], help=usage)
        command.set_defaults(run=run)
        return command

    command = add("status", status, "show all clouds", within)
    command.add_argument("--deep", action="store_true", help="also compare the ledgers, reading all of each")
    add("switch", switch, "make another cloud the active one", changing).add_argument("--to", required=True)
    add("pin", pin, "keep the active cloud, whatever happens", changing)
    add("unpin", unpin, "let the route move by itself again", changing)
    command = add("hold", hold, "let nothing move by itself for a while", changing)
    command.add_argument("--for-s", type=_seconds(0, HOLD_MAX_S), required=True, help="0 ends it")
    add("reconcile", reconcile, "merge every cloud's records into every other", within)
    command = add("drain", drain, "work off a dead cloud's queue from here", within)
    command.add_argument("--from", dest="source", choices=CLOUDS, required=True, help="whose queue")
    return parser
