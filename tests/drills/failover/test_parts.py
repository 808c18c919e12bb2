"""The parts between the clouds and the judge: moments, logs, addresses, and what a drill notices of them."""

import http.client
import json
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from drills.failover.addresses import addresses_for
from drills.failover.history import Band
from drills.failover.moments import drain_began_at_ms, moments_of_route
from drills.failover.scenario_file import find_scenario
from drills.failover.verdict.control_rows import read_route, read_vote
from drills.failover.verdict.execution_logs import count_executions
from drills.supervisor import pick_free_port

BAND = Band(cloud="aws", fault="outage", what="outage", from_at_ms=100, to_at_ms=200)
ID = "5f0c9f3e-0000-5000-8000-00000000000a"


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([(10, "aws")], (0, 0)),
        ([(10, "aws"), (120, "gcp")], (120, 0)),
        ([(10, "aws"), (120, "gcp"), (250, "aws")], (120, 250)),
        ([(10, "aws"), (120, "gcp"), (150, "aws"), (160, "gcp")], (120, 0)),
        ([(50, "gcp"), (60, "aws")], (0, 0)),  # before the fault
    ],
)
def test_moments_of_the_route(routes: list[tuple[int, str]], expected: tuple[int, int]) -> None:
    """Left when it first leads elsewhere, back only if it stays back."""
    moved, back, _ = moments_of_route(routes, [], [BAND], find_scenario("cloud-outage"), during_at_ms=100)

    assert (moved, back) == expected


def test_first_suspicion_is_of_the_faulty_cloud() -> None:
    """Others may be suspected for other reasons, and earlier."""
    suspicions = [(90, "gcp", "aws"), (105, "gcp", "azure"), (130, "azure", "aws"), (120, "gcp", "aws")]

    assert moments_of_route([], suspicions, [BAND], find_scenario("cloud-outage"), during_at_ms=100)[2] == 120


def test_drain_begins_with_its_first_turn(tmp_path: Path) -> None:
    """Other lines in its log are no turns."""
    log = tmp_path / "drain.log"
    log.write_text('WARNING {"at_ms"\n{"at_ms": 7, "done_count": 1}\n{"at_ms": 5, "begins": true}\n')

    assert drain_began_at_ms([log, tmp_path / "missing.log"]) == 5
    assert drain_began_at_ms([]) == 0


def test_executions_are_counted_over_all_clouds(tmp_path: Path) -> None:
    """In plain lines and in JSON; a duplicate was not executed."""
    for cloud in ("aws", "gcp"):
        (tmp_path / cloud / "functions").mkdir(parents=True)
    (tmp_path / "aws" / "functions" / "a.log").write_text(
        f'{{"message": "upload {ID}: recorded "}}\nupload {ID}: duplicate \n'
    )
    (tmp_path / "gcp" / "b.log").write_text(f"INFO sluice: upload {ID}: recorded \n")

    assert count_executions({cloud: tmp_path / cloud for cloud in ("aws", "gcp")}) == {ID: 2}


def test_control_rows_as_documented() -> None:
    """Route and vote, as core/route.py and core/votes.py write them."""
    seen = {"aws": {"failed": ["api"], "fail_count": 2, "ok_count": 0, "client_failure_count": 3}}
    rows = {
        "route": {"wire": 1, "active": "gcp", "clouds": "[]", "epoch": 4, "pinned": 1, "reason": "why"},
        "vote": {"wire": 1, "voter": "gcp", "at_ms": 9, "seen": json.dumps(seen)},
    }

    route, vote = read_route(rows.__getitem__), read_vote(rows.__getitem__)

    assert route is not None
    assert vote is not None
    assert (route.active, route.epoch, route.is_pinned) == ("gcp", 4, True)
    assert (vote.at_ms, vote.seen["aws"].fail_count, vote.seen["aws"].failed) == (9, 2, ("api",))
    assert read_route(lambda _: {}) is None


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_each_cloud_has_an_address() -> None:
    """All at one port; behind the one that refuses, clients see their connection end."""
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        ports = {"aws": server.server_port, "gcp": pick_free_port()}
        try:
            with addresses_for(ports) as (addresses, port):
                assert addresses == {"aws": "127.0.0.2", "gcp": "127.0.0.3"}
                with closing(http.client.HTTPConnection(addresses["aws"], port, timeout=5)) as connection:
                    connection.request("GET", "/v1/serving", headers={"Connection": "close"})
                    assert connection.getresponse().read() == b"/v1/serving"
                with closing(http.client.HTTPConnection(addresses["gcp"], port, timeout=5)) as connection:
                    connection.request("GET", "/")
                    with pytest.raises((OSError, http.client.HTTPException)):
                        connection.getresponse()
        finally:
            server.shutdown()
            thread.join()
