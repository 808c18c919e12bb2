"""What a schedule calls each minute, on the embedded store."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from handlers.scheduled import run_minute
from handlers.wiring import clock_ms
from providers.local.connect import connect
from tests.e2e.bucket import ROOT


def test_cloud_alone_sweeps_its_bucket(tmp_path: Path) -> None:
    """Without peers it does not look at anybody; what no event told of goes to the work queue."""
    cloud = connect(str(tmp_path), cloud="aws")
    cloud.store.put("late.txt", io.BytesIO(b"x"), size_bytes=1)
    old = tmp_path / "sluice.sqlite"
    _age_objects(old, by_s=3600)

    looked = run_minute(cloud, deadline_at_ms=clock_ms() + 58_000, env={"SLUICE_CLOUD": "aws"})

    assert looked == 0
    assert cloud.work.depth().visible_count == 1


def test_cloud_among_others_looks_at_them(tmp_path: Path) -> None:
    """With peers it looks in a burst, until the next call; dead ones do not end it."""
    cloud = connect(str(tmp_path), cloud="aws")
    env = {
        "SLUICE_CLOUD": "aws",
        "SLUICE_ORDER": "aws,gcp",
        "SLUICE_PEERS": '{"gcp": {"url": "http://127.0.0.1:9"}}',
        "SLUICE_PEER_KEYS": '{"current": "k", "keys": {"k": "%s"}}' % ("ab" * 32),
    }
    slept: list[float] = []

    looked = run_minute(cloud, deadline_at_ms=clock_ms() + 10_300, env=env, sleep=slept.append)

    assert looked == len(slept) >= 1
    assert cloud.control.get("vote") is not None


@pytest.mark.parametrize(
    ("cloud", "call"), [("aws", "watch({}, Context())"), ("azure", "watch({}, Context())"), ("gcp", "watch(None)")]
)
def test_entrypoint(tmp_path: Path, cloud: str, call: str) -> None:
    """The function that the deployment names runs on the embedded store."""
    code = f"""
import handlers.{cloud} as entry
class Context:
    def get_remaining_time_in_millis(self): return 58_000
print(entry.{call})
"""
    environment = {"PATH": os.defpath, "SLUICE_CLOUD": cloud, "SLUICE_LOCAL_DIR": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (0, "{'look_count': 0}\n"), done.stderr


def _age_objects(path: Path, *, by_s: int) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("update objects set modified_at_ms = modified_at_ms - ?", (by_s * 1000,))
    connection.close()
