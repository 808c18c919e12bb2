"""The embedded cloud, standing in for one of the clouds."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path

from core.ports import Cloud
from providers.local.database import Database
from providers.local.ledger import LocalLedger
from providers.local.object_store import LocalObjectStore
from providers.local.work_queue import LocalWorkQueue


def _random_version() -> str:
    return uuid.uuid4().hex


def connect(folder: str, *, cloud: str, new_version: Callable[[], str] = _random_version) -> Cloud:
    """Open the folder, or start it. Each cloud has a bucket, queues and a ledger of its own in it.

    Args:
        new_version: Names an object's version as that cloud would.
    """
    database = Database(Path(folder))
    return Cloud(
        store=LocalObjectStore(database, bucket=f"{cloud}-uploads", clock_ms=clock_ms, new_version=new_version),
        ledger=LocalLedger(database, name=cloud),
        work=LocalWorkQueue(database, name=f"{cloud}-work", clock_ms=clock_ms),
        parked=LocalWorkQueue(database, name=f"{cloud}-parked", clock_ms=clock_ms),
        control=LocalLedger(database, name=f"{cloud}-control"),
    )


def clock_ms() -> int:
    return time.time_ns() // 1_000_000
