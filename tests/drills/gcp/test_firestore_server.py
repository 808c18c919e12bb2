"""What our stand-in for Firestore and Google's own emulator both do, asked with Google's unmodified client."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, InvalidArgument
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from drills.gcp.stand_ins import StandIn

DATABASE = "projects/local/databases/(default)"
WAIT_S = 20  # the first commit of Google's emulator takes seconds
RACER_COUNT = 16


class Firestore:
    """A client and a fresh collection."""

    def __init__(self, address: str, collection: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self.client = FirestoreClient(transport=FirestoreGrpcTransport(channel=self._channel))
        self.collection = collection

    def close(self) -> None:
        self._channel.close()

    def name(self, row: str) -> str:
        return f"{DATABASE}/documents/{self.collection}/{row}"

    def write(self, row: str, number: int, **condition: Any) -> Any:
        """Write a document under a condition; gives its update time."""
        update = {"name": self.name(row), "fields": {"n": {"integer_value": number}}}
        request = {"database": DATABASE, "writes": [{"update": update, "current_document": condition}]}
        return self.client.commit(request=request, timeout=WAIT_S, retry=None).write_results[0].update_time

    def read(self, row: str) -> Any:
        """The document, or None."""
        request = {"database": DATABASE, "documents": [self.name(row)]}
        [answer] = self.client.batch_get_documents(request=request, timeout=WAIT_S)
        return answer.found if "found" in answer else None

    def list(self, *, after: str = "", limit: int) -> list[str]:
        query: dict[str, Any] = {
            "from_": [{"collection_id": self.collection}],
            "order_by": [{"field": {"field_path": "__name__"}}],
            "limit": limit,
        }
        if after:
            query["start_at"] = {"values": [{"reference_value": self.name(after)}], "before": False}
        request = {"parent": f"{DATABASE}/documents", "structured_query": query}
        answers = self.client.run_query(request=request, timeout=WAIT_S)
        return [answer.document.name.rpartition("/")[2] for answer in answers if answer.document.name]


@pytest.fixture
def firestore(firestore_address: str) -> Iterator[Firestore]:
    found = Firestore(firestore_address, f"c-{uuid.uuid4().hex[:8]}")
    yield found
    found.close()


def test_create_once(firestore: Firestore) -> None:
    """A document that must not exist is created once."""
    firestore.write("a", 1, exists=False)

    with pytest.raises(AlreadyExists):
        firestore.write("a", 2, exists=False)
    assert firestore.read("a").fields["n"].integer_value == 1


def test_update_at_its_time(firestore: Firestore) -> None:
    """An update with the right time succeeds and gives the time that a read shows; one with an old time fails."""
    first = firestore.write("a", 1, exists=False)
    second = firestore.write("a", 2, update_time=first)

    with pytest.raises(FailedPrecondition):
        firestore.write("a", 3, update_time=first)
    assert firestore.read("a").update_time == second
    assert second > first


def test_update_of_nothing(firestore: Firestore) -> None:
    """An update creates nothing."""
    time = firestore.write("other", 1)

    with pytest.raises(FailedPrecondition):
        firestore.write("a", 1, update_time=time)
    assert firestore.read("a") is None


def test_update_at_a_later_time(firestore: Firestore) -> None:
    """A time that is later than the document's is refused in a way of its own."""
    firestore.write("a", 1)
    later = firestore.write("later", 1)

    with pytest.raises(InvalidArgument):
        firestore.write("a", 2, update_time=later)


def test_race_has_one_winner(firestore: Firestore) -> None:
    """Of many creators at once exactly one succeeds."""
    start = Barrier(RACER_COUNT)

    def create(number: int) -> bool:
        start.wait(timeout=10)
        try:
            firestore.write("race", number, exists=False)
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(RACER_COUNT) as pool:
        assert sum(pool.map(create, range(RACER_COUNT))) == 1


def test_listing_goes_on_after_a_name(firestore: Firestore) -> None:
    """Documents come in the order of their names, after a cursor, up to a limit."""
    for name in ("b", "a", "d", "c"):
        firestore.write(name, 1)

    assert firestore.list(limit=3) == ["a", "b", "c"]
    assert firestore.list(after="b", limit=3) == ["c", "d"]
    assert firestore.list(after="d", limit=3) == []


def test_our_documents_survive_a_kill(tmp_path: Path) -> None:
    """What was committed is there after a kill. (Google's emulator loses it, so only ours is asked.)"""
    with StandIn("firestore", tmp_path) as server:
        before = Firestore(server.grpc_address, "c")
        written = before.write("a", 1)
        before.close()
        server.process.kill()
        server.start()
        after = Firestore(server.grpc_address, "c")

        assert after.read("a").update_time == written
        assert after.write("a", 2) > written
        after.close()
