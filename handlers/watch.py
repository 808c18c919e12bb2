"""Watches from one cloud, round after round: `python -m handlers.watch --cloud aws --every-s 1`, with that cloud's
settings in the environment. In between it sweeps the bucket and merges the peers' records, a part at a time.

For local clouds; in a deployment a schedule calls handlers/scheduled.py, which does the same.
"""

import argparse
import itertools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

from core.errors import StepError
from core.upkeep import Upkeep
from core.votes import SwitchPolicy
from core.watch import Round, Watch
from handlers.peers.settings import read_peer_settings
from handlers.wiring import CLOUDS, connect, make_watch

log = logging.getLogger("sluice")

_DEFAULT = SwitchPolicy()
_UPKEEP_MS = 2_000


def watch_until(stopped: threading.Event, watch: Watch, upkeep: Upkeep, *, every_s: float, pull_every: int) -> None:
    """Run rounds until told to stop.

    Args:
        every_s: From the start of one round to the start of the next, which waits for the upkeep in any case.
        pull_every: Do a part of the upkeep after every so many rounds; 0: never.
    """
    said = ""
    for number in itertools.count(1):
        began_s = time.monotonic()
        done = watch.run_round()
        if said != (said := describe(done)):
            log.warning("%s", said)
        if pull_every and number % pull_every == 0:
            _keep_up(upkeep)
        if stopped.wait(max(0.0, began_s + every_s - time.monotonic())):
            return


def _keep_up(upkeep: Upkeep) -> None:
    try:
        upkeep.run(stop_at_ms=upkeep.clock_ms() + _UPKEEP_MS)
    except StepError as error:
        log.info("no upkeep now: %s", error)


def describe(done: Round) -> str:
    """One round in a line: the route, and what each cloud cannot do."""
    route = f"route {done.route.epoch}: {done.route.active}" if done.route else "no route: too few clouds answer"
    return "; ".join([route, *_states(done)])


def _states(done: Round) -> Iterator[str]:
    for cloud in done.vote.seen:
        failed = done.looks[cloud].failed if cloud in done.looks else ("no answer",)
        yield f"{cloud} {', '.join(failed) or 'well'}"


def main(arguments: list[str]) -> int:
    """Watch until a signal comes. Returns the exit status: 0 stopped, 1 not started."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level="WARNING")
    policy = SwitchPolicy(
        fail_count=options.fail_count, recover_count=options.recover_count, cool_down_s=options.cool_down_s
    )
    os.environ["SLUICE_CLOUD"] = options.cloud
    try:
        settings = read_peer_settings(os.environ)
        if not settings.peers:
            print("Error: SLUICE_PEERS names no other cloud, so there is nothing to watch", file=sys.stderr)
            return 1
        watch = make_watch(connected=connect(options.cloud), settings=settings, policy=policy)
    except StepError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    others = [peer for peer in watch.peers if peer.cloud != options.cloud]
    services = watch.site.services
    upkeep = Upkeep(cloud=options.cloud, services=services, others=others, clock_ms=watch.clock_ms)
    watch_until(stopped, watch, upkeep, every_s=options.every_s, pull_every=options.pull_every)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handlers.watch", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--cloud", choices=CLOUDS, required=True, help="from where")
    parser.add_argument("--every-s", type=float, default=10.0, help="from one round to the next (default: %(default)s)")
    parser.add_argument(
        "--pull-every", type=int, default=6, help="sweep and merge peers' records after so many rounds; 0: never"
    )
    for name, value in (
        ("fail-count", _DEFAULT.fail_count),
        ("recover-count", _DEFAULT.recover_count),
        ("cool-down-s", _DEFAULT.cool_down_s),
    ):
        parser.add_argument(f"--{name}", type=int, default=value, help="see SwitchPolicy (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
