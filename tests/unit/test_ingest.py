"""Uploads through the API: what is acknowledged, and who processes it."""

import io
from dataclasses import replace

import pytest

from core.errors import UploadRejectedError
from core.ingest import NotEnoughCopiesError, complete, in_order, ingest, presign
from core.record import State
from core.ticket import Ticket, check_ticket, upload_id_of_request
from tests.unit.sites_in_memory import INITIAL, UPLOAD_ID, Clouds, one_after_another


def test_cloud_that_failed_the_client_is_asked_last() -> None:
    """A client that had to give one cloud up does not wait for it again behind another one."""
    peers = Clouds().peers_of("azure")

    assert [peer.cloud for peer in in_order(peers, INITIAL, own="azure")] == ["aws", "azure", "gcp"]
    assert [peer.cloud for peer in in_order(peers, INITIAL, own="azure", failed="aws")] == ["azure", "gcp", "aws"]
    assert [peer.cloud for peer in in_order(peers, INITIAL, own="azure", failed="unknown")] == ["aws", "azure", "gcp"]


def test_copies_stand_when_it_is_acknowledged() -> None:
    """With two copies the object and its pending record stand in two clouds, the active one and the next."""
    clouds = Clouds()

    receipt = clouds.ingest("aws", copies=2)

    assert receipt.copies == ("aws", "gcp")
    for cloud in receipt.copies:
        record = clouds.record(cloud)
        assert record is not None
        assert (record.state, record.home) == (State.PENDING, "aws")
        assert clouds.services[cloud].store.find(receipt.ticket.key) is not None
    assert clouds.record("azure") is None


def test_dead_cloud_is_passed_over() -> None:
    """Another cloud holds the copy in its place."""
    clouds = Clouds(dead={"gcp"})

    assert clouds.ingest("aws", copies=2).copies == ("aws", "azure")


def test_too_few_clouds_acknowledge_nothing() -> None:
    """With fewer clouds than copies there is no receipt, and the reasons are told."""
    clouds = Clouds(dead={"gcp", "azure"})

    with pytest.raises(NotEnoughCopiesError) as caught:
        clouds.ingest("aws", copies=2)

    assert (caught.value.stood, caught.value.missing.keys()) == (("aws",), {"gcp", "azure"})


def test_standby_asks_the_active_cloud_first() -> None:
    """One copy through a standby is kept by the active cloud; by the standby itself only when that is dead."""
    clouds = Clouds()
    assert clouds.ingest("gcp", copies=1).copies == ("aws",)

    clouds.dead.add("aws")
    assert clouds.ingest("gcp", copies=1, upload_id=UPLOAD_ID.replace("1", "9")).copies == ("gcp",)


def test_same_request_again_is_the_same_upload() -> None:
    """A client that repeats its request, also at another cloud, gets the same upload."""
    clouds = Clouds()

    first, again = clouds.ingest("aws", copies=2), clouds.ingest("gcp", copies=2)

    assert first.ticket.upload_id == again.ticket.upload_id
    assert first.copies == again.copies


@pytest.mark.parametrize("change", [{"sha256": "b" * 64}, {"name": "other.txt"}])
def test_other_content_under_the_same_id_is_refused(change: dict[str, str]) -> None:
    """An idempotency key that was used for something else is refused, and nothing is overwritten."""
    clouds = Clouds()
    clouds.ingest("aws", copies=1, sha256="a" * 64)

    with pytest.raises(UploadRejectedError, match="idempotency key"):
        clouds.ingest("aws", copies=1, **{"sha256": "a" * 64, **change})


def test_home_processes_and_tells_the_others() -> None:
    """The active cloud records it; the standby's event then finds the record, and its function is not called."""
    clouds = Clouds()
    clouds.ingest("aws", copies=2)

    assert clouds.work("aws") == [True]
    assert clouds.work("gcp") == [True]

    assert clouds.handled == [("aws", UPLOAD_ID)]
    assert clouds.record("aws") == clouds.record("gcp")


def test_standby_takes_over_by_age() -> None:
    """While the home cloud may still do it, a standby waits; afterwards it processes its copy itself."""
    clouds = Clouds()
    clouds.ingest("aws", copies=2)
    clouds.dead.add("aws")

    assert clouds.work("gcp") == [False]
    assert clouds.handled == []

    clouds.now_ms += 125_000
    assert clouds.work("gcp") == [True]
    assert clouds.handled == [("gcp", UPLOAD_ID)]


def test_content_that_changed_after_the_receipt_is_noticed() -> None:
    """What is recorded has the sha256 that was acknowledged, or it is not recorded."""
    clouds = Clouds()
    clouds.ingest("aws", copies=1, sha256="a" * 64)

    for _ in range(5):
        clouds.work("aws")
        clouds.now_ms += 1_000_000

    record = clouds.record("aws")
    assert record is not None
    assert (record.state, "sha256 differs" in record.reason) == (State.PARKED, True)


def test_presigned_upload_is_acknowledged_when_the_copies_stand() -> None:
    """Targets in one cloud more than asked; no receipt before the objects stand with their size."""
    clouds = Clouds()
    ticket = clouds.ticket()
    peers = in_order(clouds.peers_of("aws"), INITIAL, own="aws")

    targets = presign(ticket, peers=peers, copies=1, content_type="text/plain", valid_s=60, gather=one_after_another)
    assert list(targets) == ["aws", "gcp"]
    with pytest.raises(NotEnoughCopiesError):
        complete(ticket, peers=peers, copies=1, gather=one_after_another)

    clouds.services["gcp"].store.put(ticket.key, io.BytesIO(b"short"), size_bytes=5)
    with pytest.raises(NotEnoughCopiesError):
        complete(ticket, peers=peers, copies=1, gather=one_after_another)
    clouds.services["gcp"].store.put(ticket.key, io.BytesIO(b"content"), size_bytes=7)

    assert complete(ticket, peers=peers, copies=1, gather=one_after_another).copies == ("gcp",)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *((("name", name), "name") for name in ("", "a/b", "..", ".", "a\nb", "a\x00", "x" * 256, "\\", "\ud800")),
        (("size_bytes", -1), "size_bytes"),
        (("size_bytes", 134_217_728_001), "size_bytes"),
        (("sha256", "A" * 64), "sha256"),
    ],
)
def test_hostile_tickets_are_refused(change: tuple[str, object], field: str) -> None:
    """The field is named, and its value is not repeated."""
    good = Ticket(upload_id=UPLOAD_ID, name="ü 1.txt", size_bytes=0, sha256="", home="aws", accepted_at_ms=1)
    assert check_ticket(good) is good

    with pytest.raises(UploadRejectedError, match=f"^{field} must"):
        check_ticket(replace(good, **{change[0]: change[1]}))  # type: ignore[arg-type]


def test_id_of_a_request_hangs_on_client_and_key() -> None:
    """The same in every cloud and at every time, and different for another client or key."""
    ids = {upload_id_of_request(client=c, idempotency_key=k) for c in ("a", "b") for k in ("x", "y")}

    assert len(ids) == 4
    assert upload_id_of_request(client="a", idempotency_key="x") in ids


def test_body_is_opened_for_each_cloud() -> None:
    """Clouds that are written at the same time do not share a reader."""
    clouds = Clouds()
    opened: list[io.BytesIO] = []

    def open_body() -> io.BytesIO:
        opened.append(io.BytesIO(b"content"))
        return opened[-1]

    ingest(clouds.ticket(), open_body, peers=clouds.peers_of("aws"), copies=2, gather=one_after_another)

    assert len(opened) == 2
    assert all(body.closed for body in opened)
