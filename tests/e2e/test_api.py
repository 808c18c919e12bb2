"""The HTTP API on the embedded store, and once through serverless-wsgi as Lambda calls it."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

import handlers.aws
from core.record import Record, State, describe, to_fields
from core.upload import Upload
from handlers.api import app
from handlers.api.application import connected
from handlers.peers.settings import read_peer_settings
from tests.e2e.bucket import ROOT

UPLOAD_ID = "00000000-0000-5000-8000-000000000001"
RECORD = Record(
    upload=Upload(upload_id=UPLOAD_ID, cloud="aws", bucket="b", key="k", version="1"),
    state=State.RECORDED,
    size_bytes=0,
    sha256="ab" * 32,
    facts={"rows": 1},
    recorded_at_ms=1,
    recorded_by="aws",
)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of the API, on an embedded store that holds RECORD."""
    monkeypatch.setenv("SLUICE_CLOUD", "aws")
    monkeypatch.setenv("SLUICE_LOCAL_DIR", str(tmp_path))
    connected.cache_clear()
    handlers.aws.connect.cache_clear()
    handlers.aws.connect().ledger.put(UPLOAD_ID, to_fields(RECORD), expect=None)
    yield Client(app)
    connected.cache_clear()
    handlers.aws.connect.cache_clear()


def test_health_asks_the_ledger(client: Client) -> None:
    """A ledger that answers is healthy."""
    answer = client.get("/v1/health")

    assert (answer.status_code, answer.json["status"], answer.json["failed"]) == (200, "ok", [])


def test_health_of_a_dead_ledger(client: Client, tmp_path: Path) -> None:
    """A ledger that cannot be read makes the answer 503."""
    (tmp_path / "sluice.sqlite").write_bytes(b"this is no database" * 100)

    answer = client.get("/v1/health")

    assert (answer.status_code, answer.json["status"], answer.json["failed"]) == (503, "unusable", ["ledger"])


def test_record_of_an_upload(client: Client) -> None:
    """An upload's record is given as `sls ledger --json` gives it."""
    answer = client.get(f"/v1/uploads/{UPLOAD_ID}")

    assert (answer.status_code, answer.json) == (200, describe(RECORD))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/uploads/00000000-0000-5000-8000-000000000002", 404),
        ("GET", "/v1/uploads/not-an-id", 404),
        ("GET", "/v1/uploads/%00", 404),
        ("GET", "/nowhere", 404),
        ("POST", "/v1/health", 405),
    ],
)
def test_errors_are_problem_documents(client: Client, method: str, path: str, status: int) -> None:
    """An error is a problem document (RFC 9457) that does not repeat what was asked."""
    answer = client.open(path, method=method)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == status
    assert path.rpartition("/")[2] not in answer.text


def test_settings_that_make_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that cannot start answers so; the log, and nobody else, is told which setting it is."""
    monkeypatch.setenv("SLUICE_CLOUD", "aws")
    monkeypatch.setenv("SLUICE_LOCAL_DIR", str(tmp_path))
    monkeypatch.setenv("SLUICE_COPIES", "9")
    connected.cache_clear()

    answer = Client(app).get("/v1/serving")

    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert "SLUICE" not in answer.text


def test_closed_without_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no key is set, a cloud's own services are open to nobody; SLUICE_OPEN is for this machine."""
    settings = {"SLUICE_CLOUD": "aws"}

    assert [read_peer_settings(settings | more).is_open for more in ({}, {"SLUICE_OPEN": "1"})] == [False, True]
    keys = json.dumps({"c": "ab" * 32})
    assert not read_peer_settings({**settings, "SLUICE_OPEN": "1", "SLUICE_API_KEYS": keys}).is_open


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_served_alone(tmp_path: Path, ending: signal.Signals) -> None:
    """`python -m handlers.serve` takes an upload in on the embedded store, and stops cleanly when it is told to."""
    serve = subprocess.Popen(
        [sys.executable, "-m", "handlers.serve", "--cloud", "gcp"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SLUICE_LOCAL_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with serve:
        assert serve.stdout is not None
        url = serve.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/v1/uploads?name=a.txt", data=b"content", timeout=10) as answer:
            receipt = json.load(answer)
        serve.send_signal(ending)
        _, log = serve.communicate(timeout=20)

    assert (answer.status, receipt["copies"], serve.returncode) == (201, ["gcp"], 0)
    assert "a.txt" not in log


def test_through_serverless_wsgi(tmp_path: Path) -> None:
    """An event of API Gateway reaches the same app, by `sls invoke local -f api`."""
    event = tmp_path / "event.json"
    request = {"http": {"method": "GET", "path": "/v1/health", "sourceIp": "127.0.0.1"}, "stage": "$default"}
    event.write_text(
        json.dumps(
            {
                "version": "2.0",
                "rawPath": "/v1/health",
                "rawQueryString": "",
                "headers": {"host": "localhost"},
                "requestContext": request,
                "isBase64Encoded": False,
            }
        )
    )

    invoked = subprocess.run(
        [str(ROOT / "node_modules/.bin/sls"), "invoke", "local", "-f", "api", "--path", str(event)],
        cwd=ROOT,
        env={**os.environ, "SLUICE_LOCAL_DIR": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert invoked.returncode == 0, invoked.stdout + invoked.stderr
    answer = json.loads(invoked.stdout[invoked.stdout.index("{") :])
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["status"] == "ok"
