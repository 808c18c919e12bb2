"""The API is as its OpenAPI document says: every route is in it, and schemathesis finds no answer that is not."""

import hashlib
import io
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from werkzeug.wrappers import Response

import handlers.gcp
from core.signing import HEADER, PeerKeys, sign
from handlers.api.application import ENDPOINTS, Application
from handlers.peers.problem_types import PROBLEMS
from handlers.peers.wire import signed_path
from handlers.wiring import clock_ms, make_front
from tests.unit.api_in_memory import serving

ROOT = Path(__file__).parents[2]
SECRET = "ab" * 32
MAX_EXAMPLES = 30
# What a schema cannot say: that a digest is of the body, a cursor of a page, a URL at a known host, how many clouds
# there are. And 503 is a good answer while the peer cannot be reached, or for work that cannot be read.
CONFIG = "\n".join(
    f"""
[[operations]]
include-operation-id = "{operation_id}"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "404", "409", "503", {statuses}]
not_a_server_error.expected-statuses = ["2xx", "4xx", "503"]
"""
    for operation_id, statuses in {
        "postUpload": '"400", "422"',
        "presignUpload": '"400", "422"',
        "listUploads": '"400"',
        "absorbRecords": '"400"',
        "completeUpload": '"400"',
        "putRoute": '"400"',
        "keepCopy": '"400", "422"',
        "presignCopy": '"400", "422"',
        "confirmCopy": '"400", "422"',
        "takeWork": '"422"',
    }.items()
)
PEER_PATHS = ("/v1/copies", "/v1/work", "/v1/records")

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def make_app(folder: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Application:
    """The API of Google Cloud on an embedded store, with one peer that nobody reaches."""
    monkeypatch.setenv("SLUICE_LOCAL_DIR", str(folder))
    env = {
        "SLUICE_CLOUD": "gcp",
        "SLUICE_LOCAL_DIR": str(folder),
        "SLUICE_ORDER": "gcp,aws",
        "SLUICE_PEERS": json.dumps({"aws": {"url": "http://127.0.0.1:9", "origins": ["https://objects.test"]}}),
        "SLUICE_PEER_KEYS": json.dumps({"current": "k", "keys": {"k": SECRET}}),
    }
    handlers.gcp.connect.cache_clear()
    application = Application(make_front(env | environment))
    handlers.gcp.connect.cache_clear()
    return application


def signing(app: Wsgi) -> Wsgi:
    """The application behind somebody who signs every request to a peers' endpoint, so that what follows is tested.

    Its description then asks for no signature.
    """
    keys = PeerKeys(current="k", secrets={"k": bytes.fromhex(SECRET)})

    def signed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == "/v1/openapi.json":
            return Response(_unsigned_document(), content_type="application/json")(environ, start_response)
        if path.startswith(PEER_PATHS) or (method, path) == ("PUT", "/v1/route"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if method != "GET" else b""
            query = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
            value = sign(
                keys,
                method,
                signed_path(path, query),
                hashlib.sha256(body).hexdigest(),
                sender="aws",
                recipient="gcp",
                at_ms=clock_ms(),
                nonce=secrets.token_hex(16),
            )
            environ = {**environ, "wsgi.input": io.BytesIO(body), "HTTP_" + HEADER.upper().replace("-", "_"): value}
        return app(environ, start_response)

    return signed


def _unsigned_document() -> str:
    document = json.loads((ROOT / "handlers/api/openapi.json").read_text())
    for item in document["paths"].values():
        for operation in item.values():
            operation["security"] = [way for way in operation["security"] if "peerSignature" not in way]
    return json.dumps(document)


def run_schemathesis(url: str, *, folder: Path) -> str:
    """Run every check; gives the report. Fails on the first failure, and after 55 s."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/v1/openapi.json", "--checks", "all"]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", str(MAX_EXAMPLES), "--seed", "1"]
    command += ["--generation-deterministic", "--no-color", "--warnings", "off"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    return done.stdout


def test_document_has_every_route_and_no_other() -> None:
    """What is served is described, and what is described is served."""
    document = json.loads((ROOT / "handlers/api/openapi.json").read_text())

    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert described == {(method, path.replace("<", "{").replace(">", "}")) for method, path in ENDPOINTS}


def test_manual_has_every_problem_and_endpoint() -> None:
    """docs/api.md lists each problem's type with its status, and each endpoint's path."""
    manual = (ROOT / "docs/api.md").read_text()

    listed = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", manual, flags=re.MULTILINE))
    assert listed == {name: str(status) for name, (status, _) in PROBLEMS.items()}
    assert not [path for _, path in ENDPOINTS if path.partition(":")[0].replace("upload_id", "id") not in manual]


def test_schemathesis_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer to a good or a bad request differs from its description; clients need no key, peers are signed."""
    with serving(signing(make_app(tmp_path, monkeypatch))) as url:
        report = run_schemathesis(url, folder=tmp_path)

    # Its own description, which it loads first, is no operation to it.
    assert re.search(rf"Operations: +{len(ENDPOINTS) - 1} selected", report), report


def test_schemathesis_gets_in_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials, and with wrong ones, every answer is as described, and nothing is stored."""
    keys = json.dumps({"somebody": hashlib.sha256(b"the key").hexdigest()})
    app = make_app(tmp_path, monkeypatch, SLUICE_API_KEYS=keys)
    with serving(app) as url:
        run_schemathesis(url, folder=tmp_path)

    services = app._front.site.services
    assert not services.ledger.page().rows
    assert not services.store.page().objects
    assert services.work.depth().visible_count == 0
