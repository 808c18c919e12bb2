"""The fault of a deployed Google Cloud: made and taken back through a server that keeps a policy as IAM documents it.

The server is ours, and never was Google's: it shows what is asked, and that an overtaken write is repeated.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from requests import Session

from drills.failover.faults.google import GoogleFaultError, GoogleFaults
from drills.failover.scenario import FaultName, TimedFault

FAULT = TimedFault(at_s=0, fault=FaultName.INVOKER_REVOKED, cloud="gcp", for_s=30)
SERVICE = "projects/p/locations/europe-west1/services/sluice-dev-process"
INVOKER = {"role": "roles/run.invoker", "members": ["serviceAccount:invoker@p.iam.gserviceaccount.com"]}
VIEWER = {"role": "roles/run.viewer", "members": ["user:somebody@example.com"]}


class Policies:
    """One service's policy.

    Attributes:
        overtaken_count: So many writes meet another one that came first, which adds a viewer.
    """

    def __init__(self) -> None:
        self.bindings: list[dict[str, Any]] = [INVOKER]
        self.version = 1
        self.overtaken_count = 0
        self.paths: list[str] = []

    def read(self) -> dict[str, Any]:
        return {"version": 1, "etag": str(self.version), "bindings": self.bindings}

    def write(self, policy: dict[str, Any]) -> int:
        if self.overtaken_count:
            self.overtaken_count -= 1
            self.bindings = [*self.bindings, VIEWER]
            self.version += 1
        if policy["etag"] != str(self.version):
            return 409
        self.bindings, self.version = policy["bindings"], self.version + 1
        return 200


@pytest.fixture
def policies() -> Policies:
    return Policies()


@pytest.fixture
def faults(policies: Policies) -> Iterator[GoogleFaults]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            policies.paths.append(self.path)
            self._answer(200 if SERVICE in self.path else 404)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(policies.write(body["policy"]))

        def _answer(self, status: int) -> None:
            body = json.dumps(policies.read()).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, Session() as session:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield GoogleFaults(service=SERVICE, make_session=lambda: session, api=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


def test_nobody_may_call_while_it_lasts(policies: Policies, faults: GoogleFaults) -> None:
    """Others keep their rights, and afterwards the invoker has its own again."""
    policies.bindings = [VIEWER, INVOKER]

    with faults.made(FAULT):
        during = policies.bindings

    assert during == [VIEWER]
    assert policies.bindings == [VIEWER, INVOKER]


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt])
def test_right_is_given_back_whatever_ends_the_drill(
    policies: Policies, faults: GoogleFaults, end: type[BaseException]
) -> None:
    """An error and Ctrl-C alike."""
    seen = []

    def drill() -> None:
        with faults.made(FAULT):
            seen.append(policies.bindings)
            raise end

    with pytest.raises(end):
        drill()

    assert (seen, policies.bindings) == ([[]], [INVOKER])


def test_write_that_was_overtaken_is_repeated(policies: Policies, faults: GoogleFaults) -> None:
    """What somebody else has given meanwhile stays."""
    policies.overtaken_count = 1

    with faults.made(FAULT):
        during = policies.bindings

    assert during == [VIEWER]
    assert policies.bindings == [VIEWER, INVOKER]


def test_write_that_is_always_overtaken(policies: Policies, faults: GoogleFaults) -> None:
    """It is given up, and said, with what is to be done by hand."""
    policies.overtaken_count = 100

    with pytest.raises(GoogleFaultError, match=r"others changed the policy .*; by hand: gcloud"), faults.made(FAULT):
        pass


def test_plan_names_who_and_the_remedy(policies: Policies, faults: GoogleFaults) -> None:
    """Nothing is changed by it."""
    change, by_hand = faults.plan(FAULT)

    assert change == f"takes roles/run.invoker from {INVOKER['members'][0]} at {SERVICE}, and gives it back"
    assert by_hand == (
        "if the drill is killed: gcloud run services add-iam-policy-binding sluice-dev-process --project p "
        f"--region europe-west1 --member {INVOKER['members'][0]} --role roles/run.invoker"
    )
    assert (policies.bindings, policies.version) == ([INVOKER], 1)
    assert policies.paths == [f"/v2/{SERVICE}:getIamPolicy?options.requestedPolicyVersion=3"]


def test_service_must_be_named() -> None:
    """There is none by default."""
    with pytest.raises(GoogleFaultError, match="--google-service"):
        GoogleFaults(service="", make_session=Session)
