"""A function's worker, made from settings as in a deployment, with another cloud's API behind a real server."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import providers.local.connect
from core.ports import Message
from core.record import Record, State, from_fields, to_fields
from core.ticket import Ticket
from core.work_item import from_payload, to_text
from handlers.settings import read_settings
from handlers.wiring import clock_ms, make_worker
from tests.contract.peer_contract import upload
from tests.unit.api_in_memory import KEYS, MemoryApi, serving

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gcp() -> MemoryApi:
    return MemoryApi(cloud="gcp")


@pytest.fixture
def settings(gcp: MemoryApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS's settings, with `gcp` as its peer."""
    with serving(gcp.app) as url:
        monkeypatch.setenv("SLUICE_CLOUD", "aws")
        monkeypatch.setenv("SLUICE_ORDER", "aws,gcp")
        monkeypatch.setenv("SLUICE_PEERS", json.dumps({"gcp": {"url": url}}))
        keys = {"current": KEYS.current, "keys": {name: secret.hex() for name, secret in KEYS.secrets.items()}}
        monkeypatch.setenv("SLUICE_PEER_KEYS", json.dumps(keys))
        yield


def test_peer_is_told_of_a_record(gcp: MemoryApi, settings: None, tmp_path: Path) -> None:
    """What is recorded here is soon recorded in the peer's ledger, so that it does not take the upload over."""
    cloud = providers.local.connect.connect(str(tmp_path), cloud="aws")
    content = b"the content"
    ticket = Ticket(
        upload_id="11111111-2222-4333-8444-555555555555",
        name="a.txt",
        size_bytes=len(content),
        sha256="",
        home="aws",
        accepted_at_ms=clock_ms(),
    )
    pending = ticket.pending(cloud="aws", bucket=cloud.store.bucket)
    cloud.ledger.put(ticket.upload_id, to_fields(pending), expect=None)
    info = cloud.store.put(ticket.key, io.BytesIO(content), size_bytes=len(content))
    assert info is not None
    worker = make_worker(
        cloud="aws",
        connected=cloud,
        parse=lambda body: [from_payload(json.loads(body))],
        settings=read_settings({"SLUICE_CLOUD": "aws"}),
    )
    item = to_text(upload(upload_id=ticket.upload_id, bucket=cloud.store.bucket, key=ticket.key, version=info.version))
    message = Message(message_id="1", body=item, receipt="r", receive_count=1)

    assert worker.handle(message, deadline_at_ms=clock_ms() + 60_000)

    row = gcp.services.ledger.get(ticket.upload_id)
    assert row is not None
    known: Record = from_fields(row.fields)
    assert (known.state, known.recorded_by) == (State.RECORDED, "aws")


def test_alone_nothing_of_it_is_imported() -> None:
    """A function without peers pays for none of this in its cold start."""
    code = "import sys, handlers.aws; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert "handlers.wiring" in loaded
    unwanted = ("handlers.peers", "handlers.peers.http_peer", "handlers.api", "core.peer", "core.signing", "werkzeug")
    assert not loaded & set(unwanted)
