"""What a newcomer does first: put, invoke, look, on the embedded store and through the Serverless command line."""

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlers import cli
from tests.e2e.bucket import ROOT

Sls = Callable[..., "subprocess.CompletedProcess[str]"]

# What `sls invoke local` prints for a call that succeeded: what the cloud's runtime answers.
ANSWERS = {"aws": '{\n    "batchItemFailures": []\n}', "gcp": "OK", "azure": ""}


@pytest.fixture(params=["aws", "gcp", "azure"])
def cloud(request: pytest.FixtureRequest) -> str:
    """Each cloud in turn."""
    return str(request.param)


@pytest.fixture
def sls(tmp_path: Path, cloud: str) -> Sls:
    """Run `sls --cloud …` with an embedded store of this test's own."""
    environment = {**os.environ, "SLUICE_LOCAL_DIR": str(tmp_path / "store"), "NO_COLOR": "1"}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(ROOT / "node_modules/.bin/sls"), *arguments, "--cloud", cloud]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    return run


def invoke(sls: Sls, cloud: str, event: Path) -> None:
    """Invoke `process` with the event of a file; it succeeds and answers as its cloud does."""
    invoked = sls("invoke", "local", "-f", "process", "--path", str(event))

    assert invoked.returncode == 0, invoked.stdout + invoked.stderr
    # On AWS the framework prints logs and results alike to standard output.
    printed = invoked.stdout if cloud != "aws" else invoked.stdout[invoked.stdout.index("{") :]
    assert printed.strip() == ANSWERS[cloud]


def put_and_invoke(sls: Sls, cloud: str, tmp_path: Path, *, content: bytes, key: str) -> dict[str, Any]:
    """Put a file under a key, invoke `process` with the event; gives the one record."""
    file, event = tmp_path / "file", tmp_path / "event.json"
    file.write_bytes(content)
    put = sls("put", str(file), f"--key={key}")
    assert put.returncode == 0, put.stderr
    event.write_text(put.stdout)
    invoke(sls, cloud, event)
    [record] = json.loads(sls("ledger", "--json").stdout)["records"]
    return dict(record)


def test_upload_is_recorded_once(sls: Sls, cloud: str, tmp_path: Path) -> None:
    """A file under a hostile key is recorded under exactly that key; the same event again changes nothing."""
    key, content = "../../a+b %2B/..🦥.pdf", b"%PDF-1.7\n"

    record = put_and_invoke(sls, cloud, tmp_path, content=content, key=key)
    invoke(sls, cloud, tmp_path / "event.json")

    assert (record["key"], record["state"], record["cloud"]) == (key, "recorded", cloud)
    assert record["content_type"] == "application/pdf"
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert json.loads(sls("ledger", "--json").stdout)["records"] == [record]


@pytest.mark.parametrize("cloud", ["aws"], indirect=True)
@pytest.mark.parametrize("key", ["k" * 1024, "-x"], ids=lambda key: key[:12])
def test_odd_keys_and_empty_files(sls: Sls, cloud: str, tmp_path: Path, key: str) -> None:
    """The longest key, and one that looks like an option; here of an empty file."""
    record = put_and_invoke(sls, cloud, tmp_path, content=b"", key=key)

    assert (record["key"], record["state"], record["size_bytes"]) == (key, "recorded", 0)
    assert record["sha256"] == hashlib.sha256(b"").hexdigest()


def test_what_cannot_be_read_is_parked_and_comes_back(sls: Sls, cloud: str, tmp_path: Path) -> None:
    """A message that means nothing is kept with its reason; redrive gives it back as an event, which parks it again."""
    event = tmp_path / "event.json"
    event.write_text('{"hello": 1}')
    invoke(sls, cloud, event)
    [parked] = json.loads(sls("parked", "--json").stdout)["parked"]

    event.write_text(sls("redrive", parked["parked_id"]).stdout)

    assert json.loads(parked["body"]) == {"hello": 1}
    assert {"aws": "Records", "gcp": "type", "azure": "eventType"}[cloud] in parked["reason"]
    assert redriven_bodies(cloud, event) == [parked["body"]]
    assert json.loads(sls("parked", "--json").stdout)["parked"] == []
    invoke(sls, cloud, event)
    [again] = json.loads(sls("parked", "--json").stdout)["parked"]
    assert again["body"] == parked["body"]


def redriven_bodies(cloud: str, event: Path) -> list[str]:
    """The messages of what `sls redrive` prints: the cloud's own way to deliver messages of a queue."""
    delivered = json.loads(event.read_text())
    match cloud:
        case "aws":
            return [record["body"] for record in delivered["Records"]]
        case "gcp":
            return [base64.b64decode(entry["message"]["data"]).decode() for entry in delivered["receivedMessages"]]
        case _:
            return [message["body"] for message in delivered["messages"]]


def test_what_must_come_back_fails_the_call(sls: Sls, cloud: str, tmp_path: Path) -> None:
    """An upload that cannot be read now is no success: the message has to come again."""
    file, event = tmp_path / "file", tmp_path / "event.json"
    file.write_bytes(b"x")
    event.write_text(sls("put", str(file)).stdout)
    for stored in (tmp_path / "store").rglob("*"):
        if stored.is_file() and stored.read_bytes() == b"x":
            stored.unlink()
            stored.mkdir()  # where the content was is nothing that can be read

    invoked = sls("invoke", "local", "-f", "process", "--path", str(event))

    told = invoked.stdout + invoked.stderr
    if cloud == "aws":
        assert '"itemIdentifier"' in told
    else:
        assert invoked.returncode == 1
        assert invoked.stdout == ""
        assert "Error: " in invoked.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["put", "/no/such/file"], "cannot read /no/such/file: No such file or directory"),
        (["put", __file__, "--key", "k" * 1025], "--key must have 1 to 1024 bytes of UTF-8; this one has 1025"),
        (["put", __file__, "--key", ""], "--key must have 1 to 1024 bytes of UTF-8; this one has 0"),
        (["redrive"], "give --all"),
        (["redrive", "no-such-id"], "not parked: no-such-id"),
    ],
)
def test_mistakes_are_told_with_their_remedy(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake gives one line that names what is wrong, and a status that is not 0."""
    import handlers.aws

    monkeypatch.setenv("SLUICE_LOCAL_DIR", str(tmp_path))
    handlers.aws.connect.cache_clear()

    status = cli.main(arguments)

    handlers.aws.connect.cache_clear()
    assert status == 1
    assert says in capsys.readouterr().err


def test_hostile_key_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters of a key or a reason are not printed as they are."""
    cli.print_table(("key",), [("red \x1b[31m alert",)])

    assert "\x1b" not in capsys.readouterr().out
