"""`python -m drills.azure.bench`: what one upload costs beside a plain handler on the official SDKs. Read the ratios.

Each handler runs in fresh processes that take turns, called directly: the Functions host would cost both the same.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drills.azure.cloud import LocalAzure

ROUND_COUNT = 5
WARM_COUNT = 40
CONTENT = b"%PDF-1.7\n" + b"x" * 4096


def make_naive() -> Callable[[str, int], None]:
    """Make the handler of the tutorials: download by the SDK, hash, insert by the SDK."""
    import hashlib

    from azure.data.tables import TableClient
    from azure.storage.blob import BlobServiceClient

    connection = os.environ["SLUICE_STORAGE"]
    blobs = BlobServiceClient.from_connection_string(connection)
    table = TableClient.from_connection_string(connection, os.environ["SLUICE_LEDGER_TABLE"])

    def handle(body: str, number: int) -> None:
        event = json.loads(body)
        key = event["subject"].partition("/blobs/")[2]
        content = blobs.get_blob_client(os.environ["SLUICE_BUCKET"], key).download_blob().readall()
        row = {"PartitionKey": f"naive-{os.getpid()}-{number}", "RowKey": "x", "size": len(content)}
        table.create_entity(row | {"sha256": hashlib.sha256(content).hexdigest()})

    return handle


def make_sluice() -> Callable[[str, int], None]:
    """Make ours, as handlers/azure_app.py calls it."""
    from core.ports import Message
    from handlers.azure import process_message

    def handle(body: str, number: int) -> None:
        process_message(Message(message_id=str(number), body=body, receipt="", receive_count=1))

    return handle


HANDLERS = {"naive": make_naive, "sluice": make_sluice}


def measure_here(name: str, bodies: list[str]) -> None:
    """In a fresh process: print wall and CPU time of the first upload, imports included, and the warm median, in ms."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    handle = HANDLERS[name]()
    handle(bodies[0], 0)
    cold = (time.perf_counter() - wall_s, time.process_time() - cpu_s)
    warm = []
    for number, body in enumerate(bodies[1:], start=1):
        wall_s = time.perf_counter()
        handle(body, number)
        warm.append(time.perf_counter() - wall_s)
    print(json.dumps([1000 * cold[0], 1000 * cold[1], 1000 * statistics.median(warm)]))


def main() -> None:
    """Measure and print."""
    from drills.azure.cloud import LocalAzure  # the measured processes must not have paid for its imports

    samples: dict[str, list[list[float]]] = {name: [] for name in HANDLERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with LocalAzure(folder=folder, task_root=Path.cwd()) as azure:
            azure.host.stop()
            for round_number in range(ROUND_COUNT + 1):
                for handler in HANDLERS:
                    bodies = _put(azure, f"{handler}-{round_number}")
                    sample = _run(handler, bodies, azure.environment)
                    if round_number:  # the first one only warms the machine's disk cache
                        samples[handler].append(sample)
    medians = {
        name: [statistics.median(column) for column in zip(*found, strict=True)] for name, found in samples.items()
    }
    for name, values in medians.items():
        ratios = [value / base for value, base in zip(values, medians["naive"], strict=True)]
        cells = (
            f"{what} {v:7.1f} ms ({r:.2f})" for what, v, r in zip(("cold", "CPU", "warm"), values, ratios, strict=True)
        )
        print(name.ljust(8), "  ".join(cells))


def _put(azure: "LocalAzure", mark: str) -> list[str]:
    events: list[str] = []
    azure.event_grid.deliver = events.append
    for number in range(WARM_COUNT + 1):
        azure.put(f"{mark}/{number}", CONTENT)
    deadline_s = time.monotonic() + 10
    while len(events) <= WARM_COUNT and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return events


def _run(name: str, bodies: list[str], environment: dict[str, str]) -> list[float]:
    command = [sys.executable, "-m", "drills.azure.bench", name]
    done = subprocess.run(
        command, input=json.dumps(bodies), env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    found: list[float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_here(sys.argv[1], json.load(sys.stdin))
    else:
        main()
