"""Work that is given to another cloud, and ledgers that become one."""

import io
import logging
from dataclasses import replace
from typing import Any

import pytest

from core.errors import ProviderUnusableError
from core.ports import Fields
from core.reconcile import absorb, pull
from core.record import State
from core.upload import Upload
from providers.memory.ledger import MemoryLedger
from tests.unit.sites_in_memory import UPLOAD_ID, Clouds


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The worker logs what these tests provoke."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


class DeadLedger(MemoryLedger):
    """Answers nobody while it is dead."""

    is_dead = True

    def get(self, row_id: str) -> Any:
        self._require_life()
        return super().get(row_id)

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        self._require_life()
        return super().put(row_id, fields, expect=expect)

    def _require_life(self) -> None:
        if self.is_dead:
            raise ProviderUnusableError("the ledger does not answer")


def put_straight(clouds: Clouds, key: str = "photo.png") -> Upload:
    """An object that a user put into the bucket of AWS, whose ledger is dead."""
    clouds.services["aws"].store.put(key, io.BytesIO(b"content"), size_bytes=7)
    return clouds.send_event("aws", key)


def with_dead_ledger(clouds: Clouds, cloud: str) -> DeadLedger:
    ledger = DeadLedger()
    worker = clouds.workers[cloud]
    clouds.services[cloud] = replace(clouds.services[cloud], ledger=ledger)
    clouds.sites[cloud] = replace(clouds.sites[cloud], services=clouds.services[cloud])
    clouds.workers[cloud] = replace(worker, pipeline=replace(worker.pipeline, ledger=ledger))
    return ledger


def test_work_goes_to_another_cloud_and_the_message_stays() -> None:
    """With its ledger dead, a worker hands the upload over, and keeps the message until it is recorded there."""
    clouds = Clouds()
    with_dead_ledger(clouds, "aws")
    upload = put_straight(clouds)

    assert clouds.work("aws") == [False]
    clouds.work("gcp")

    record = clouds.record("gcp", upload.upload_id)
    assert record is not None
    assert (record.state, record.recorded_by, record.upload.cloud) == (State.RECORDED, "gcp", "aws")
    clouds.now_ms += 1_000_000
    assert clouds.work("aws") == [True]
    assert clouds.handled == [("gcp", upload.upload_id)]


def test_next_cloud_takes_it_when_the_first_does_not_answer() -> None:
    """Peers are asked in order."""
    clouds = Clouds(dead={"gcp"})
    with_dead_ledger(clouds, "aws")
    upload = put_straight(clouds)

    clouds.work("aws")
    clouds.work("azure")

    assert clouds.handled == [("azure", upload.upload_id)]


def test_nobody_takes_it() -> None:
    """With nobody left it waits in its own queue; nothing is parked for an outage."""
    clouds = Clouds(dead={"gcp", "azure"})
    with_dead_ledger(clouds, "aws")
    put_straight(clouds)

    for _ in range(20):
        assert clouds.work("aws") == [False]
        clouds.now_ms += 1_000_000

    assert clouds.services["aws"].parked.depth().visible_count == 0


def test_peer_uses_its_own_copy() -> None:
    """A peer that holds a copy of the upload needs no URL, and works at once although it is not its home."""
    clouds = Clouds()
    clouds.ingest("aws", copies=2)
    with_dead_ledger(clouds, "aws")

    clouds.work("aws")
    clouds.work("gcp")

    record = clouds.record("gcp")
    assert record is not None
    assert (record.state, record.upload.cloud) == (State.RECORDED, "gcp")


def test_taking_work_twice_is_taking_it_once() -> None:
    """The same work again, before and after it is done, makes one record."""
    clouds = Clouds()
    upload = replace(put_straight(clouds), url="memory://aws-bucket/photo.png?version=1")

    states = [clouds.sites["gcp"].take_work(upload) for _ in range(3)]
    assert clouds.services["gcp"].work.depth().visible_count == 1
    clouds.now_ms += 61_000
    states.append(clouds.sites["gcp"].take_work(upload))
    assert clouds.services["gcp"].work.depth().visible_count == 2
    clouds.work("gcp")

    assert states == [State.PENDING] * 4
    assert clouds.handled == [("gcp", upload.upload_id)]
    assert clouds.sites["gcp"].take_work(upload) is State.RECORDED


def test_ledgers_converge() -> None:
    """Each cloud pulls the others' records; then all have the same, and pulling again changes nothing."""
    clouds = Clouds()
    uploads = {}
    for cloud in ("aws", "gcp", "azure"):
        clouds.services[cloud].store.put(f"of {cloud}", io.BytesIO(b"x"), size_bytes=1)
        uploads[cloud] = clouds.send_event(cloud, f"of {cloud}")
        clouds.work(cloud)

    changed = []
    for _ in range(2):
        for cloud in uploads:
            for peer in clouds.peers_of(cloud):
                if peer.cloud != cloud:
                    pulled = pull(peer, clouds.services[cloud].ledger, after="", page_count=10, limit=1)
                    changed.append(pulled.changed_count)
                    assert pulled.after == ""

    assert changed[-6:] == [0] * 6
    for upload in uploads.values():
        records = [clouds.record(cloud, upload.upload_id) for cloud in uploads]
        assert records[0] is not None
        assert records[0] == records[1] == records[2]


def test_what_is_open_stays_at_home() -> None:
    """Pending and claimed records are no business of another ledger."""
    clouds = Clouds()
    clouds.ingest("aws", copies=1)

    assert clouds.sites["aws"].records(after="", limit=10).records == []


def test_absorbing_over_a_live_claim_discards_the_later_result() -> None:
    """A record that comes while this cloud works on the upload counts; its own confirm is then a lost race."""
    clouds = Clouds()
    clouds.ingest("aws", copies=2)
    clouds.now_ms += 200_000
    clouds.work("gcp")
    theirs = clouds.record("gcp")
    assert theirs is not None

    clouds.work("aws")

    assert absorb(clouds.services["aws"].ledger, theirs) is False
    assert clouds.record("aws") == theirs
    assert clouds.handled == [("gcp", UPLOAD_ID)]
