"""Another cloud's queue, worked off from outside."""

import io
import json
import logging
from dataclasses import replace

import pytest

from core.drain import Drain, Drained
from core.errors import UploadRejectedError
from core.handover import HandOver
from core.record import State
from core.upload import Deleted, Deletion, Notice, deletion_id_of
from core.work_item import from_payload
from tests.unit.sites_in_memory import Clouds

DELETION = Deletion(deleted=Deleted.KEY, cloud="aws", bucket="aws-bucket", key="k", version="", sequencer="2")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The drain logs what these tests provoke."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


def drain_of(clouds: Clouds) -> Drain:
    """GCP drains the queue of AWS, whose functions are dead; the clock goes on with each look at it."""
    theirs = clouds.services["aws"]
    peers = [peer for peer in clouds.peers_of("gcp") if peer.cloud != "aws"]

    def clock_ms() -> int:
        clouds.now_ms += 1_000
        clouds.work("gcp")
        return clouds.now_ms

    return Drain(
        work=theirs.work,
        parse=lambda body: [from_payload(json.loads(body))],
        hand_over=HandOver(store=theirs.store, peers=peers),
        peers=peers,
        clock_ms=clock_ms,
        recheck_s=1,
    )


def test_queue_of_dead_functions_is_worked_off() -> None:
    """Each upload is recorded by the standby, and only then its message is deleted."""
    clouds = Clouds()
    for number in range(12):
        clouds.services["aws"].store.put(f"k{number}", io.BytesIO(b"x"), size_bytes=1)
        clouds.send_event("aws", f"k{number}")

    drained = drain_of(clouds).run(stop_at_ms=clouds.now_ms + 600_000)

    assert drained.done_count == 12
    assert clouds.services["aws"].work.depth().visible_count == 0
    assert {cloud for cloud, _ in clouds.handled} == {"gcp"}
    assert len(clouds.handled) == 12


def test_nothing_is_deleted_that_nobody_recorded() -> None:
    """With nobody to take it, the messages stay, and the drain ends in time."""
    clouds = Clouds(dead={"gcp", "azure"})
    clouds.services["aws"].store.put("k", io.BytesIO(b"x"), size_bytes=1)
    clouds.send_event("aws", "k")
    drain = drain_of(clouds)
    nobody = replace(drain, hand_over=lambda _upload: None)

    drained = nobody.run(stop_at_ms=clouds.now_ms + 10_000)

    assert drained.done_count == 0
    clouds.now_ms += 60_000
    assert clouds.services["aws"].work.depth().visible_count == 1


def test_deletions_are_told() -> None:
    """A deletion in the queue becomes a row in a living ledger."""
    clouds = Clouds()
    clouds.services["aws"].work.send(["deletion"])
    drain = replace(drain_of(clouds), parse=lambda _body: [DELETION])

    assert drain.run(stop_at_ms=clouds.now_ms + 60_000) == Drained(done_count=1)

    record = clouds.record("gcp", deletion_id_of(DELETION))
    assert record is not None
    assert record.state is State.DELETED


def test_what_cannot_be_read_is_left() -> None:
    """A message that means nothing is its own cloud's to park."""

    def parse(_body: str) -> list[Notice]:
        raise UploadRejectedError("the message is no JSON")

    clouds = Clouds()
    clouds.services["aws"].work.send(["nonsense"])

    drained = replace(drain_of(clouds), parse=parse).run(stop_at_ms=clouds.now_ms + 10_000)

    assert drained.done_count == 0
    assert drained.waiting_count > 0
