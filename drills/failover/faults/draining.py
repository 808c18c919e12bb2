"""Stands by to work off one cloud's queue, as the scheduled function of a standby would: looks, and drains if it must.

    python -m drills.failover.faults.draining --from aws --peers FILE      with that cloud's settings in the environment

A line of JSON for each turn goes to standard output. It runs until a signal comes.
"""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict

from core.errors import StepError
from core.ports import Cloud
from core.route import Route
from core.votes import Capability
from handlers.failover.clouds import connect_peers, find_clouds
from handlers.failover.drain import drain_cloud
from handlers.peers.http_peer import HttpPeer
from handlers.wiring import clock_ms, connect

_EVERY_S = 0.5
_TURN_MS = 3_000
# Its own workers are to blame, and a queue that another cloud can work off.
_WORKERS = frozenset((Capability.API, Capability.FUNCTION))


def stand_by(
    source: str, peers: Sequence[HttpPeer], connected: Cloud, *, fail_count: int, stop: threading.Event
) -> None:
    """Look, and drain while the functions do not work."""
    drained = next(peer for peer in peers if peer.cloud == source)
    route: Route | None = None  # as last told by that cloud; says only which of the others is asked first
    bad_count = 0
    while not stop.wait(_EVERY_S):
        try:
            look = drained.look()
            route = look.route or route
            is_bad = bool(_WORKERS & set(look.failed))
        except StepError:
            is_bad = True
        bad_count = bad_count + 1 if is_bad else 0
        if bad_count >= fail_count:
            _drain(source, peers, connected, route)


def _drain(source: str, peers: Sequence[HttpPeer], connected: Cloud, route: Route | None) -> None:
    """One turn."""
    _tell({"at_ms": clock_ms(), "begins": True})
    stop_at_ms = clock_ms() + _TURN_MS
    try:
        done = drain_cloud(
            source, connected, peers=peers, route=route, clock_ms=clock_ms, stop_at_ms=stop_at_ms, env=os.environ
        )
    except StepError as error:
        _tell({"at_ms": clock_ms(), "error": str(error)})
    else:
        _tell({"at_ms": clock_ms(), **asdict(done)})


def _tell(fields: dict[str, object]) -> None:
    print(json.dumps(fields), flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills.failover.faults.draining")
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--fail-count", type=int, default=2)
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    peers = connect_peers(find_clouds({}, path=options.peers), clock_ms=clock_ms)
    stand_by(options.source, peers, connect(options.source), fail_count=options.fail_count, stop=stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
