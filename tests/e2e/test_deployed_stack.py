"""The project deployed with `sls deploy`, where the emulator itself runs the packaged function."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.aws.clients import CREDENTIALS, REGION, aws_client
from drills.aws.ministack import Ministack
from drills.waiting import wait_until
from tests.e2e.bucket import ROOT, WAIT_S

DEPLOY_TIMEOUT_S = 180


@pytest.fixture
def endpoint_url(tmp_path: Path) -> Iterator[str]:
    """An emulator of its own."""
    with Ministack(tmp_path) as emulator:
        yield emulator.endpoint_url


def sls(endpoint_url: str, *arguments: str) -> str:
    """Run the framework against the emulator; gives its standard output."""
    done = subprocess.run(
        [str(ROOT / "node_modules/.bin/sls"), *arguments],
        cwd=ROOT,
        env={**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL": endpoint_url, "AWS_REGION": REGION},
        capture_output=True,
        text=True,
        timeout=DEPLOY_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_deployed_function_records_an_upload(endpoint_url: str, tmp_path: Path) -> None:
    """After `sls deploy`, a file put with `sls put --deployed` is recorded, and `sls ledger --deployed` shows it."""
    file = tmp_path / "hello.txt"
    file.write_text("hello\n")
    sls(endpoint_url, "deploy", "--cloud", "aws")

    sls(endpoint_url, "put", str(file), "--deployed")

    def recorded() -> list[dict[str, str]]:
        records = json.loads(sls(endpoint_url, "ledger", "--json", "--deployed"))["records"]
        return [record for record in records if record["state"] == "recorded"]

    [record] = wait_until(recorded, timeout_s=WAIT_S, what="the record")
    assert record["key"] == "hello.txt"
    assert record["content_type"] == "text/plain"
    functions = aws_client("lambda", endpoint_url=endpoint_url).list_functions()["Functions"]
    names = sorted(function["FunctionName"] for function in functions)
    assert names == ["sluice-dev-api", "sluice-dev-process", "sluice-dev-watch"]
