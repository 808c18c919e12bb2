"""The HTTP API on the embedded store, and once through serverless-wsgi as Lambda calls it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

import handlers.aws
from core.record import Record, State, describe, to_fields
from core.upload import Upload
from handlers.api import app
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
    handlers.aws.connect.cache_clear()
    handlers.aws.connect().ledger.put(UPLOAD_ID, to_fields(RECORD), expect=None)
    yield Client(app)
    handlers.aws.connect.cache_clear()


def test_health_asks_the_ledger(client: Client) -> None:
    """A ledger that answers is healthy."""
    answer = client.get("/v1/health")

    assert (answer.status_code, answer.json) == (200, {"status": "ok", "cloud": "aws", "ledger": "ok"})


def test_health_of_a_dead_ledger(client: Client, tmp_path: Path) -> None:
    """A ledger that cannot be read makes the answer 503."""
    (tmp_path / "sluice.sqlite").write_bytes(b"this is no database" * 100)

    answer = client.get("/v1/health")

    assert (answer.status_code, answer.json["status"]) == (503, "unusable")


def test_record_of_an_upload(client: Client) -> None:
    """An upload's record is given as `sls ledger --json` gives it."""
    answer = client.get(f"/v1/uploads/{UPLOAD_ID}")

    assert (answer.status_code, answer.json) == (200, describe(RECORD))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/uploads/00000000-0000-5000-8000-000000000002", 404),
        ("GET", "/v1/uploads/not-an-id", 400),
        ("GET", "/v1/uploads/%00", 400),
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
