"""The servers that stand in for Pub/Sub and Firestore: ours, and Google's own emulators where gcloud and Java are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.gcp.google_emulators import google_emulator, why_missing
from drills.gcp.stand_ins import StandIn, listens
from drills.supervisor import LOOPBACK, pick_free_port

_TESTED: list[str] = []


def serving(name: str, whose: str, folder: Path) -> Iterator[str]:
    """The gRPC address of a running server, or a skip that says what is missing."""
    if whose == "ours":
        with StandIn(name, folder) as server:
            _TESTED.append(f"our stand-in for {name}")
            yield server.grpc_address
        return
    port = pick_free_port()
    emulator = google_emulator(name, port=port, folder=folder)
    if emulator is None:
        pytest.skip(why_missing(name))
    with emulator:
        emulator.wait_ready(lambda: listens(port), timeout_s=40)
        _TESTED.append(f"Google's {name} emulator")
        yield f"{LOOPBACK}:{port}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which servers the conformance tests have asked."""
    if _TESTED:
        terminalreporter.write_line(f"Conformance of Google Cloud's stand-ins, tested: {', '.join(_TESTED)}")


@pytest.fixture(scope="module", params=["ours", "Google's"])
def pubsub_address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serving("pubsub", request.param, tmp_path_factory.mktemp("pubsub"))


@pytest.fixture(scope="module", params=["ours", "Google's"])
def firestore_address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serving("firestore", request.param, tmp_path_factory.mktemp("firestore"))
