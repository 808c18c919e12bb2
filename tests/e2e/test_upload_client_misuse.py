"""The upload client with odd files, wrong options and garbage in its memory; and as a program."""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.wrappers import Response

from handlers.upload.progress import Progress
from tests.e2e.bucket import ROOT
from tests.e2e.three_apis import API_KEY, Seen
from tests.e2e.upload_runs import Client

POST = "POST /v1/uploads"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "it is a folder; name its files"),
        (lambda path: os.mkfifo(path), "it is no regular file"),
        (lambda path: path.symlink_to("nowhere"), os.strerror(errno.ENOENT)),
        (lambda path: (path.touch(), os.truncate(path, 134_217_728_001)), "the most that every cloud can join"),
    ],
)
def test_what_is_no_file_to_upload(client: Client, make: Callable[[Path], object], message: str) -> None:
    """It is named, with the reason, and no cloud is asked to take it."""
    path = client.folder / "odd"
    make(path)

    status, out, err = client.upload(path)

    assert (status, out) == (1, "")
    assert message in err
    assert {seen.what for seen in client.apis.seen} == {"GET /v1/route"}


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "back\\slash", b"\xff".decode(errors="surrogateescape")])
def test_name_that_no_cloud_takes(client: Client, name: str) -> None:
    """It is refused before anything is sent, and shown without its control characters."""
    file = client.file(name)

    status, out, err = client.upload(file)

    assert (status, out) == (1, "")
    assert "name must be a file name: printable" in err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("content", [b"changed", b"short", b"longer than it was"])
def test_file_that_changes_is_not_acknowledged(client: Client, content: bytes) -> None:
    """Between two tries the file changes: what was begun is not finished with other bytes."""
    file = client.file()

    def fault(seen: Seen) -> Response | None:
        if seen.what != POST or file.read_bytes() == content:
            return None
        file.write_bytes(content)
        os.utime(file, ns=(1, 1))
        return Response(status=503)

    client.apis.fault = fault

    status, out, err = client.upload(file)

    assert (status, out) == (1, "")
    assert "it changed since it was looked at" in err
    assert not any(client.apis.contents().values())


def test_memory_that_cannot_be_read_is_begun_anew(client: Client) -> None:
    """Garbage in place of a memory is no reason to fail."""
    file = client.file()
    client.apis.fault = lambda _seen: "drop"
    client.upload(file, "--for-s", 1)
    (memory,) = client.memories()
    memory.write_bytes(b"\xff{")
    client.apis.fault = lambda _seen: None

    receipt = client.receipt(file)

    assert receipt["copies"] == ["aws", "gcp"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "ftp://x"], "--to ftp://x: a URL must be https://host"),
        (["--to", "http://example.org"], "a URL must be https://host, or http:// of this machine"),
        (["--peers", "none.json"], "cannot read none.json"),
        (["--api-key-file", "none.key"], "cannot read none.key: No such file"),
    ],
)
def test_misuse_names_the_remedy(client: Client, arguments: list[str], message: str) -> None:
    """Nothing is sent; a key never goes out in the clear."""
    status, _out, err = client.upload(client.file(), *arguments)

    assert status == 1
    assert message in err
    assert client.apis.seen == []


def test_as_a_program(client: Client) -> None:
    """Python runs it by its name; the key may come from the environment, and never shows."""
    file = client.file()
    ran = subprocess.run(
        [sys.executable, "-m", "handlers.upload", "--to", client.apis.urls["gcp"], str(file)],
        cwd=ROOT,
        env={"PATH": os.defpath, "XDG_CACHE_HOME": str(client.folder / "cache"), "SLUICE_API_KEY": API_KEY},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"{file}  ")
    assert API_KEY not in ran.stdout + ran.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal_only() -> None:
    """A terminal gets a bar that is wiped in the end; anything else gets plain lines."""
    shown = {}
    for out in (Terminal(), io.StringIO()):
        progress = Progress(out=out, monotonic_s=iter(range(1, 100)).__next__)
        progress.begin("a\nb.bin", total_bytes=200)
        progress.add(100)
        progress.say("aws: no answer")
        progress.end()
        shown[out.isatty()] = out.getvalue()

    assert shown[False] == "aws: no answer\n"
    assert "a�b.bin ████████████░░░░░░░░░░░░  50%" in shown[True]
    assert shown[True].endswith("\r\x1b[Kaws: no answer\n")
