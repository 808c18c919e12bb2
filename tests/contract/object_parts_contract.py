"""What every object store promises of objects that are put in parts. Part of `tests.contract.object_store_contract`."""

import hashlib
import io
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import pytest

from core.errors import TransientError, UploadRejectedError
from core.parts import part_key
from core.ports import ObjectInfo, ObjectStore, OpenObject, PresignedParts, PresignedPut
from core.upload import OWN_PREFIX
from tests.contract.racing import race

# S3 takes no part below 5 MiB but the last, and the second of the local servers says so.
PART_BYTES = 5 * 1024 * 1024
KEY = "u/11111111-2222-3333-4444-555555555555/ü a+b%2F.bin"
CONTENT = hashlib.shake_256(b"parts").digest(2 * PART_BYTES + 7)
PARTS = (CONTENT[:PART_BYTES], CONTENT[PART_BYTES : 2 * PART_BYTES], CONTENT[2 * PART_BYTES :])

PutPart = Callable[[PresignedPut, bytes], str]


def put_over_http(put: PresignedPut, content: bytes) -> str:
    """What a client without credentials does; gives the ETag."""
    headers = {"content-type": "application/octet-stream", **put.headers}  # else urllib says that it is a form
    request = urllib.request.Request(put.url, data=content, headers=headers, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers.get("ETag", "")


class ObjectPartsContract:
    """Give the fixtures `store`, an empty bucket, and, where URLs do not work over HTTP, `put_part`."""

    @pytest.fixture
    def put_part(self) -> PutPart:
        return put_over_http

    def test_parts_become_one_object(self, store: ObjectStore, put_part: PutPart) -> None:
        """Parts that were put in any order are joined in theirs; nothing stands until then, and only that then."""
        presigned = presign(store)
        etags = {number: put_part(presigned.parts[number], PARTS[number]) for number in (2, 0, 1)}
        before = store.find(KEY)

        info = join(store, presigned, [etags[number] for number in range(3)])

        assert before is None
        assert (info.key, info.size_bytes) == (KEY, len(CONTENT))
        assert content_of(store) == CONTENT
        assert store.find(KEY) == info
        assert [(o.key, o.version) for o in store.page().objects] == [(KEY, info.version)]

    def test_joining_again_finds_it(self, store: ObjectStore, put_part: PutPart) -> None:
        """Whoever lost the answer joins again, and is told of the same object."""
        presigned, etags = put_all(store, put_part)
        first = join(store, presigned, etags)

        assert join(store, presigned, etags) == first

    def test_joiners_race_for_one_object(self, store: ObjectStore, put_part: PutPart) -> None:
        """Of eight that join at once, again where the moment is to blame, each is told of the one object."""
        presigned, etags = put_all(store, put_part)

        def join_surely(_racer: int) -> ObjectInfo:
            for _ in range(5):
                with suppress(TransientError):
                    return join(store, presigned, etags)
            return join(store, presigned, etags)

        infos = race(join_surely)

        assert len({info.version for info in infos}) == 1
        assert content_of(store) == CONTENT

    @pytest.mark.parametrize("missing", [1, 2, 3])
    def test_missing_part_is_named(self, store: ObjectStore, put_part: PutPart, missing: int) -> None:
        """Without one of its parts nothing is joined, and the error names it; once it is put, they are."""
        presigned = presign(store)
        etags = [
            put_part(put, part) if number != missing else ""
            for number, (put, part) in enumerate(zip(presigned.parts, PARTS, strict=True), start=1)
        ]

        with pytest.raises(UploadRejectedError, match=f"part {missing} is missing"):
            join(store, presigned, etags)

        assert store.find(KEY) is None
        etags[missing - 1] = put_part(presigned.parts[missing - 1], PARTS[missing - 1])
        assert join(store, presigned, etags).size_bytes == len(CONTENT)

    def test_nothing_put_is_a_missing_part(self, store: ObjectStore) -> None:
        """Without any part the first one is missing."""
        presigned = presign(store)

        with pytest.raises(UploadRejectedError, match="part 1 is missing"):
            join(store, presigned, ["", "", ""])

    def test_fewer_parts_are_not_the_object(self, store: ObjectStore, put_part: PutPart) -> None:
        """Parts that are whole, but not all, are not joined."""
        presigned, etags = put_all(store, put_part)

        with pytest.raises(UploadRejectedError, match="bytes"):
            join(store, presigned, etags[:2])

        assert store.find(KEY) is None

    def test_part_may_be_put_again(self, store: ObjectStore, put_part: PutPart) -> None:
        """The last PUT of a part counts."""
        presigned = presign(store)
        put_part(presigned.parts[2], b"another")
        etags = [put_part(put, part) for put, part in zip(presigned.parts, PARTS, strict=True)]

        join(store, presigned, etags)

        assert content_of(store) == CONTENT

    def test_presigning_again_keeps_what_was_put(self, store: ObjectStore, put_part: PutPart) -> None:
        """The handle stays, so that an upload that was interrupted goes on with new URLs."""
        first = presign(store)
        etags = [put_part(first.parts[0], PARTS[0])]

        second = presign(store)
        etags += [put_part(second.parts[number], PARTS[number]) for number in (1, 2)]

        assert second.handle == first.handle
        join(store, second, etags)
        assert content_of(store) == CONTENT

    def test_taken_key_stays(self, store: ObjectStore, put_part: PutPart) -> None:
        """What stands under the key before the parts are joined is not replaced."""
        presigned, etags = put_all(store, put_part)
        there = store.put(KEY, io.BytesIO(b"there"), size_bytes=5)

        assert there is not None
        assert join(store, presigned, etags).version == there.version
        assert content_of(store) == b"there"

    def test_handle_is_for_one_key(self, store: ObjectStore, put_part: PutPart) -> None:
        """Another key's parts cannot be joined by whoever knows their handle."""
        presigned, etags = put_all(store, put_part)

        with pytest.raises(UploadRejectedError):
            store.join_parts("u/other", handle=presigned.handle, size_bytes=len(CONTENT), etags=etags)

        assert store.find("u/other") is None

    def test_parts_are_nobodys_uploads(self, store: ObjectStore, put_part: PutPart) -> None:
        """What stands before the parts are joined is Sluice's own, for an event and for a sweep."""
        put_all(store, put_part)

        assert all(info.key.startswith(OWN_PREFIX) for info in store.page().objects)


def into(store: ObjectStore) -> PutPart:
    """For stores whose URLs nobody can PUT to: the part is put as the object that it is there."""

    def put_part(put: PresignedPut, content: bytes) -> str:
        store.put(part_key(KEY, _number_in(put.url)), io.BytesIO(content), size_bytes=len(content))
        return ""

    return put_part


def presign(store: ObjectStore) -> PresignedParts:
    return store.presign_parts(
        KEY, size_bytes=len(CONTENT), content_type="text/plain", part_bytes=PART_BYTES, valid_s=60
    )


def put_all(store: ObjectStore, put_part: PutPart) -> tuple[PresignedParts, list[str]]:
    presigned = presign(store)
    return presigned, [put_part(put, part) for put, part in zip(presigned.parts, PARTS, strict=True)]


def join(store: ObjectStore, presigned: PresignedParts, etags: Sequence[str]) -> ObjectInfo:
    return store.join_parts(KEY, handle=presigned.handle, size_bytes=len(CONTENT), etags=etags)


def content_of(store: ObjectStore) -> bytes:
    info = store.find(KEY)
    assert info is not None
    with store.open(KEY, version=info.version) as found:
        assert isinstance(found, OpenObject)
        return found.body.read()


def _number_in(url: str) -> int:
    return int(unquote(urlsplit(url).path).rpartition("/")[2])
