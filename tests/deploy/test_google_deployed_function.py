"""What a deployment hands over to Google Cloud works: the package that was sent, with the declared settings."""

import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from core.record import State, from_fields
from drills.gcp.stand_ins import FakeGcs, StandIn, listens
from drills.supervisor import LOOPBACK, SupervisedProcess, pick_free_port
from handlers.wiring import clock_ms
from providers.gcp.clients import emulated
from providers.gcp.events import notification_event
from providers.gcp.ledger import FirestoreLedger
from providers.gcp.object_store import GcsObjectStore
from tests.contract.gcp_server import TestSigner
from tests.deploy.google_world import IN_REGION, first_deployment


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Stand-ins for Google's services, as the variables that lead to them."""
    firestore, pubsub, storage = StandIn("firestore", tmp_path), StandIn("pubsub", tmp_path), FakeGcs(tmp_path)
    with ExitStack() as running:
        for server in (firestore, pubsub, storage):
            running.enter_context(server)
        yield {
            "STORAGE_EMULATOR_HOST": storage.url,
            "PUBSUB_EMULATOR_HOST": pubsub.http_address,
            "FIRESTORE_EMULATOR_HOST": firestore.http_address,
        }


def as_built(function: Mapping[str, Any], *, folder: Path, port: int, env: Mapping[str, str]) -> SupervisedProcess:
    """The function as Google's buildpack would start it, which knows of no trigger and so takes it for one of HTTP."""
    target = function["buildConfig"]["entryPoint"]
    where = ["--host", LOOPBACK, "--port", str(port), "--source", str(folder / "main.py")]
    return SupervisedProcess(
        [sys.executable, "-m", "functions_framework", "--target", target, "--signature-type", "http", *where],
        name=target,
        environment={
            "PATH": os.defpath,
            "PYTHONPATH": str(folder),
            "FUNCTION_TARGET": target,
            **function["serviceConfig"]["environmentVariables"],
            **env,
        },
        folder=folder,
        log_path=folder / "function.log",
    )


def test_deployed_package_records_an_upload(services: Mapping[str, str], tmp_path: Path) -> None:
    """A push of the bucket's notification becomes a record in the database that the deployment made."""
    deployed = first_deployment()[0].services
    function = deployed.things[f"{IN_REGION}/functions/sluice-dev-process"]
    settings = function["serviceConfig"]["environmentVariables"]
    content = deployed.packages[function["buildConfig"]["source"]["storageSource"]["object"]]
    storage = emulated(services["STORAGE_EMULATOR_HOST"])
    storage.call("POST", "/storage/v1/b", query={"project": "p"}, body={"name": settings["SLUICE_BUCKET"]})
    store = GcsObjectStore(bucket=settings["SLUICE_BUCKET"], api=storage, signer=TestSigner(), clock_ms=clock_ms)
    info = store.put("photo.txt", io.BytesIO(b"content"), size_bytes=7)
    assert info is not None
    push = json.dumps(notification_event(info, bucket=settings["SLUICE_BUCKET"])).encode()
    folder, port = tmp_path / "package", pick_free_port()
    zipfile.ZipFile(io.BytesIO(content)).extractall(folder)

    with as_built(function, folder=folder, port=port, env=services) as process:
        process.wait_ready(lambda: listens(port), timeout_s=30)
        request = Request(f"http://{LOOPBACK}:{port}/", data=push, headers={"content-type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    ledger = FirestoreLedger(
        database=f"projects/{settings['GOOGLE_CLOUD_PROJECT']}/databases/{settings['SLUICE_LEDGER_DATABASE']}",
        collection=settings["SLUICE_LEDGER_COLLECTION"],
        api=emulated(services["FIRESTORE_EMULATOR_HOST"]),
    )
    [record] = [from_fields(row.fields) for row in ledger.page().rows]
    assert (record.state, record.upload.key, record.upload.size_bytes) == (State.RECORDED, "photo.txt", 7)
