"""What every peer promises. This is the port's definition; subclasses stand beside the implementations."""

import hashlib
import io
from dataclasses import replace
from typing import Any

import pytest

from core.errors import StepError, UploadRejectedError
from core.parts import PART_MIN_BYTES, part_key
from core.peer import Peer, RecordPage
from core.ports import Cloud, PresignedParts, PresignedPut, PutParts
from core.record import Record, Sighting, State, deletion_record, from_fields, to_fields
from core.route import Route
from core.ticket import Ticket
from core.upload import Deleted, Deletion, Upload, deletion_id_of

ORDER = ("aws", "gcp")
UPLOAD_ID = "11111111-2222-3333-4444-555555555555"
CONTENT = b"the content"


def ticket(content: bytes = CONTENT, **change: Any) -> Ticket:
    known = {"upload_id": UPLOAD_ID, "name": "a.txt", "size_bytes": len(content), "sha256": "", "home": "aws"}
    return Ticket(**{**known, "accepted_at_ms": 1_000, **change})


def upload(**change: Any) -> Upload:
    known = {"upload_id": UPLOAD_ID, "cloud": "aws", "bucket": "theirs", "key": "k", "version": "1"}
    known["url"] = "https://objects.aws.test/k?signature=1"
    return Upload(**{**known, **change})


def recorded(number: int = 1, **change: Any) -> Record:
    """A record of an upload of its own."""
    known = Record(
        upload=upload(upload_id=f"00000000-0000-5000-8000-{number:012}", key=f"k{number}", url=""),
        state=State.RECORDED,
        size_bytes=number,
        sha256=f"{number:064x}",
        content_type="text/plain",
        facts={"rows": number, "name": "ü😀"},
        recorded_at_ms=1_000 + number,
        recorded_by="aws",
    )
    return replace(known, **change)


def all_records(peer: Peer, *, limit: int) -> list[Record]:
    """Every page after another, at most 50 of them."""
    found: list[Record] = []
    after = ""
    for _ in range(50):
        page: RecordPage = peer.records(after=after, limit=limit)
        assert len(page.records) <= limit
        found += page.records
        after = page.after
        if not after:
            return found
    raise AssertionError("the listing does not end")


class PeerContract:
    """Give the fixtures `peer`, the cloud "gcp" of ORDER, and `services`, what it stands on, empty."""

    def test_name(self, peer: Peer) -> None:
        """A peer knows which cloud it is."""
        assert peer.cloud == "gcp"

    def test_copy_stands_after_keep(self, peer: Peer, services: Cloud) -> None:
        """A kept copy stands: the object whole, its record pending, and confirmed."""
        peer.keep(ticket(), io.BytesIO(CONTENT))

        info = services.store.find(ticket().key)
        assert info is not None
        with services.store.open(info.key, version=info.version) as found:
            assert found.body.read() == CONTENT  # type: ignore[union-attr]
        assert _record(services) == ticket().pending(cloud="gcp", bucket=services.store.bucket)
        assert peer.confirm(ticket())

    @pytest.mark.parametrize("content", [b"", bytes(range(256)) * 1024], ids=["empty", "256 KiB of all bytes"])
    def test_any_content_is_kept(self, peer: Peer, content: bytes) -> None:
        """Content is bytes, of any size."""
        peer.keep(ticket(content), io.BytesIO(content))

        assert peer.confirm(ticket(content))

    @pytest.mark.parametrize("name", ["ü 😀+%2F&a=b;#?.txt", "a:complete", "名" * 85, "'\"<x>$(y)"])
    def test_any_name_is_kept(self, peer: Peer, services: Cloud, name: str) -> None:
        """A name comes through as it is, whatever it holds."""
        peer.keep(ticket(name=name), io.BytesIO(CONTENT))

        assert services.store.find(f"u/{UPLOAD_ID}/{name}") is not None

    def test_keep_may_be_repeated(self, peer: Peer, services: Cloud) -> None:
        """Keeping the same copy again changes nothing."""
        peer.keep(ticket(), io.BytesIO(CONTENT))
        before = services.store.find(ticket().key)

        peer.keep(ticket(accepted_at_ms=2_000), io.BytesIO(CONTENT))

        assert services.store.find(ticket().key) == before

    def test_keep_of_another_content_is_rejected(self, peer: Peer) -> None:
        """Under one id there is one content."""
        peer.keep(ticket(sha256=_sha256(CONTENT)), io.BytesIO(CONTENT))
        other = b"CONTENT the"

        with pytest.raises(UploadRejectedError):
            peer.keep(ticket(sha256=_sha256(other)), io.BytesIO(other))

    def test_keep_under_another_name_is_rejected(self, peer: Peer) -> None:
        """Under one id there is one name."""
        peer.keep(ticket(), io.BytesIO(CONTENT))

        with pytest.raises(UploadRejectedError):
            peer.keep(ticket(name="b.txt"), io.BytesIO(CONTENT))

    def test_nothing_to_confirm(self, peer: Peer, services: Cloud) -> None:
        """Without an object, or with one of another size, no copy stands; and no record is made."""
        assert not peer.confirm(ticket())
        services.store.put(ticket().key, io.BytesIO(b"x"), size_bytes=1)

        assert not peer.confirm(ticket())
        assert services.ledger.get(UPLOAD_ID) is None

    def test_presigned_copy(self, peer: Peer, services: Cloud) -> None:
        """A presigned upload has its record first, and is confirmed once the client has put it."""
        put = peer.presign(ticket(), content_type="text/plain", valid_s=60)

        assert isinstance(put, PresignedPut)
        assert put.url
        assert _record(services).state is State.PENDING
        assert not peer.confirm(ticket())
        services.store.put(ticket().key, io.BytesIO(CONTENT), size_bytes=len(CONTENT))
        assert peer.confirm(ticket())

    def test_copy_in_parts(self, peer: Peer, services: Cloud) -> None:
        """A presigned upload in parts has its record first; it is confirmed, and joined, once every part is put."""
        whole = ticket(b"x" * (PART_MIN_BYTES + 1))
        presigned = peer.presign(whole, content_type="text/plain", valid_s=60, part_bytes=PART_MIN_BYTES)
        assert isinstance(presigned, PresignedParts)
        put = PutParts(handle=presigned.handle, etags=["", ""])
        pending = _record(services).state

        answers = []
        for number, size_bytes in ((1, PART_MIN_BYTES), (2, 1)):
            answers.append(peer.confirm(whole, parts=put))
            services.store.put(part_key(whole.key, number), io.BytesIO(b"x" * size_bytes), size_bytes=size_bytes)
        answers += [peer.confirm(whole), peer.confirm(whole, parts=put), peer.confirm(whole, parts=put)]

        assert (len(presigned.parts), pending) == (2, State.PENDING)
        assert answers == [False, False, False, True, True]
        assert peer.confirm(whole)

    def test_work_is_taken(self, peer: Peer, services: Cloud) -> None:
        """Work that was handed over is pending here, and stands in the queue."""
        assert peer.take_work(upload(size_bytes=7)) is State.PENDING

        assert services.work.depth().visible_count == 1
        assert (_record(services).home, _record(services).upload.size_bytes) == ("gcp", 7)

    def test_unreadable_work_is_not_taken(self, peer: Peer, services: Cloud) -> None:
        """Without a copy here and without a URL nobody could process it."""
        with pytest.raises(StepError):
            peer.take_work(upload(url=""))

        assert services.work.depth().visible_count == 0

    def test_recorded_work_is_not_taken_again(self, peer: Peer, services: Cloud) -> None:
        """Whoever hands over what is recorded here is told so, and nothing is queued."""
        services.ledger.put(UPLOAD_ID, to_fields(recorded(upload=upload(url=""))), expect=None)

        assert peer.take_work(upload()) is State.RECORDED
        assert services.work.depth().visible_count == 0

    def test_route_is_taken_once(self, peer: Peer) -> None:
        """A route of a higher epoch is taken, and taking it again is no loss; another of it is told the first."""
        first = Route(active="gcp", order=ORDER, epoch=3, pinned=True, reason="ü", changed_at_ms=5)
        second = replace(first, active="aws")

        assert peer.offer_route(first) == first
        assert peer.offer_route(first) == first
        assert peer.offer_route(second) == first
        assert peer.offer_route(replace(second, epoch=2)) == first
        assert peer.offer_route(replace(second, epoch=4)) == replace(second, epoch=4)

    def test_look_shows_the_route(self, peer: Peer) -> None:
        """A look tells the route that the cloud holds, from the beginning, and after a switch."""
        assert (peer.look().route, peer.look().failed) == (Route(active="aws", order=ORDER), ())
        route = Route(active="gcp", order=ORDER, epoch=1)
        peer.offer_route(route)

        assert peer.look().route == route

    def test_look_counts_what_waits(self, peer: Peer) -> None:
        """A look tells how much work waits, and how much is parked."""
        peer.take_work(upload())

        look = peer.look()

        assert look.work is not None
        assert (look.cloud, look.work.visible_count, look.parked_count) == ("gcp", 1, 0)

    def test_records_are_absorbed_and_listed(self, peer: Peer) -> None:
        """Records of every settled kind come back as they were given, page by page."""
        conflict = Sighting(recorded_at_ms=9_999, recorded_by="gcp", sha256="f" * 64, size_bytes=3)
        deletion = Deletion(deleted=Deleted.KEY, cloud="aws", bucket="theirs", key="ü/k", version="", sequencer="7")
        given = [
            recorded(1),
            recorded(2, conflicts=(conflict,)),
            recorded(3, state=State.PARKED, reason="no\nreason", sha256="", size_bytes=None, facts={}),
            recorded(4, state=State.GONE),
            deletion_record(deletion, at_ms=1_234),
        ]

        assert peer.absorb(given) == len(given)

        for limit in (1, 2, 1000):
            found = {record.upload.upload_id: record for record in all_records(peer, limit=limit)}
            assert found == {record.upload.upload_id: record for record in given}
        assert deletion_id_of(deletion) in found

    def test_absorbing_again_changes_nothing(self, peer: Peer) -> None:
        """The count is of what changed."""
        peer.absorb([recorded(1)])

        assert peer.absorb([recorded(1), recorded(2)]) == 1
        assert peer.absorb([]) == 0

    def test_open_records_are_not_listed(self, peer: Peer) -> None:
        """What is pending is nobody else's business."""
        peer.take_work(upload())

        assert all_records(peer, limit=10) == []

    def test_big_records_are_exchanged(self, peer: Peer) -> None:
        """More and larger records than one message holds come through all the same."""
        given = [recorded(number, facts={"text": "ü" * 15_000}) for number in range(1, 81)]

        assert peer.absorb(given) == 80

        found = all_records(peer, limit=1000)
        assert sorted(record.upload.upload_id for record in found) == [record.upload.upload_id for record in given]


def _record(services: Cloud) -> Record:
    row = services.ledger.get(UPLOAD_ID)
    assert row is not None
    return from_fields(row.fields)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
