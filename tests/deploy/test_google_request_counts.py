"""How many requests an upload costs on Google Cloud: what docs/deploy/gcp.md makes prices of."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from core.pipeline import Pipeline
from core.ports import Cloud, Message, ObjectInfo
from core.retry import RetryPolicy
from core.worker import Worker
from drills.gcp.stand_ins import FakeGcs, StandIn
from handlers.logic import handle_upload
from handlers.wiring import clock_ms
from providers.gcp.clients import GoogleApi
from providers.gcp.events import notification_event, parse
from providers.gcp.ledger import FirestoreLedger
from providers.gcp.messages import body_of
from providers.gcp.object_store import GcsObjectStore
from providers.gcp.work_queue import PubSubWorkQueue
from tests.contract.gcp_server import PROJECT, TestSigner
from tests.unit.api_in_memory import MemoryApi


class CountingApi(GoogleApi):
    """One of Google's APIs, and how often what of it was asked."""

    def __init__(self, url: str, counts: Counter[str]) -> None:
        super().__init__(url, token=str)
        self._counts = counts

    def send(self, method: str, path: str, **request: Any) -> Any:
        kind = re.search(r":(\w+)$|/(o)(?:/|$)|^/(bucket)/", path)
        self._counts[f"{method} {next(filter(None, kind.groups())) if kind else path}"] += 1
        return super().send(method, path, **request)


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[tuple[Cloud, Counter[str]]]:
    """Google's services on stand-ins, and what they were asked."""
    counts: Counter[str] = Counter()
    with ExitStack() as running:
        firestore, pubsub = StandIn("firestore", tmp_path), StandIn("pubsub", tmp_path)
        storage = FakeGcs(tmp_path)
        for server in (firestore, pubsub, storage):
            running.enter_context(server)
        [of_storage, of_firestore, of_pubsub] = (
            CountingApi(url, counts)
            for url in (storage.url, f"http://{firestore.http_address}", f"http://{pubsub.http_address}")
        )
        of_storage.call("POST", "/storage/v1/b", query={"project": PROJECT}, body={"name": "bucket"})
        of_pubsub.call("PUT", f"/v1/projects/{PROJECT}/topics/work", body={})
        database = f"projects/{PROJECT}/databases/(default)"
        queue = PubSubWorkQueue(project=PROJECT, topic="work", subscription="work", api=of_pubsub, monitoring=of_pubsub)
        cloud = Cloud(
            store=GcsObjectStore(bucket="bucket", api=of_storage, signer=TestSigner(), clock_ms=clock_ms),
            ledger=FirestoreLedger(database=database, collection="ledger", api=of_firestore),
            work=queue,
            parked=queue,
            control=FirestoreLedger(database=database, collection="control", api=of_firestore),
        )
        counts.clear()
        yield cloud, counts


def work_off(cloud: Cloud, info: ObjectInfo) -> None:
    """What `process` does with the event of an object."""
    event = notification_event(info, bucket="bucket")
    pipeline = Pipeline(
        cloud="gcp",
        store=cloud.store,
        ledger=cloud.ledger,
        handle_upload=handle_upload,
        clock_ms=clock_ms,
        policy=RetryPolicy(attempt_count=5),
        lease_margin_s=10,
    )
    worker = Worker(
        pipeline=pipeline, work=cloud.work, parked=cloud.parked, parse=parse, owner="one", jitter=random.random
    )
    message = Message(message_id="1", body=body_of(event["message"]), receipt="", receive_count=1)
    assert worker.handle_batch([message], concurrency=1, deadline_at_ms=clock_ms() + 60_000) == []


def test_processing(counted: tuple[Cloud, Counter[str]], tmp_path: Path) -> None:
    """`process` reads the object once, and writes its claim and its record."""
    cloud, counts = counted
    file = tmp_path / "file"
    file.write_bytes(b"content")
    with file.open("rb") as body:
        info = cloud.store.put("key", body, size_bytes=7)
    assert info is not None
    counts.clear()

    work_off(cloud, info)

    assert counts == {"GET bucket": 1, "POST commit": 2}


def test_upload_through_the_api(counted: tuple[Cloud, Counter[str]]) -> None:
    """The API stores the object, and writes a row that says so, before it acknowledges."""
    cloud, counts = counted
    api = MemoryApi(cloud="gcp")
    api.connect(cloud)

    answer = api.client.post("/v1/uploads?name=key&copies=1", data=b"content", headers={"Idempotency-Key": "k-1"})

    assert answer.status_code == 201, answer.text
    assert counts == {"POST batchGet": 1, "POST o": 1, "POST commit": 1}
