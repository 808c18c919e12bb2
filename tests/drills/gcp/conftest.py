"""The servers that stand in for Pub/Sub and Firestore: ours, and Google's own emulators where gcloud and Java are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.gcp.google_emulators import google_emulator
from drills.gcp.stand_ins import StandIn, listens
from drills.supervisor import LOOPBACK, pick_free_port


def serving(name: str, whose: str, folder: Path) -> Iterator[str]:
    """The gRPC address of a running server, or a skip that says what is missing."""
    if whose == "ours":
        with StandIn(name, folder) as server:
            yield server.grpc_address
        return
    port = pick_free_port()
    emulator = google_emulator(name, port=port, folder=folder)
    if emulator is None:
        pytest.skip(f"Google's {name} emulator needs Java and gcloud's component {name}-emulator")
    with emulator:
        emulator.wait_ready(lambda: listens(port), timeout_s=40)
        yield f"{LOOPBACK}:{port}"


@pytest.fixture(scope="module", params=["ours", "Google's"])
def pubsub_address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serving("pubsub", request.param, tmp_path_factory.mktemp("pubsub"))


@pytest.fixture(scope="module", params=["ours", "Google's"])
def firestore_address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serving("firestore", request.param, tmp_path_factory.mktemp("firestore"))
