"""The upload client as a test runs it: in the test's own home and time, against three clouds."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from handlers.upload.command import main
from tests.e2e.three_apis import Apis


class Client:
    """Runs the client in a home and a time of its own: pauses pass at once, and are noted."""

    def __init__(self, apis: Apis, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.apis = apis
        self.folder = folder
        self.pauses_s: list[float] = []
        self._capsys = capsys
        self._peers = apis.write_peers(folder / "peers.json")

    def file(self, name: str = "a.txt", content: bytes = b"content") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def upload(self, *arguments: object) -> tuple[int, str, str]:
        words = [str(argument) for argument in arguments]
        if "--to" not in words:
            words = ["--peers", str(self._peers), *words]
        status = main(words, monotonic_s=lambda: time.monotonic() + sum(self.pauses_s), sleep=self.pauses_s.append)
        shown = self._capsys.readouterr()
        return status, shown.out, shown.err

    def receipt(self, *arguments: object) -> dict[str, Any]:
        """Of one file that is uploaded."""
        status, out, err = self.upload(*arguments, "--json")
        assert status == 0, err
        (line,) = out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    def memories(self) -> list[Path]:
        return sorted((self.folder / "cache").rglob("*.json"))
