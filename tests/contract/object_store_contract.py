"""What every object store promises. This is the port's definition; subclasses stand beside the adapters."""

import hashlib
import io
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import TransientError
from core.ports import Absence, ObjectInfo, ObjectStore, OpenObject
from drills.waiting import wait_until
from tests.contract.racing import ROUND_COUNT, race

MIB = 1024 * 1024
CHUNK_BYTES = 256 * 1024

HOSTILE_KEYS = {
    "blanks and escapes": "a+b %2B/..x",
    "upwards": "../x",
    "dots": "./a/../b/./c",
    "slashes": "//a///b/",
    "a folder": "folder/",
    "query and fragment": "?a=b&c#d;e",
    "emoji": "ü/😀/日本",
    "1,024 bytes": "k" * 1020 + "😀",
    "markup": "<a href='x'>&amp;\"</a>",
    "shell": "$(x) `y` | z; \\",
    "blank at the ends": " a ",
    "a tab and a line break": "a\tb\nc",
    "a control character": "a\x01b\x7fc",
    "like an absolute path": "/etc/passwd",
    "like a device": "CON",
    "composed and not": "é/e\u0301",
    "not a character": "a\uffffb",
}


def put(store: ObjectStore, key: str, content: bytes, **options: Any) -> ObjectInfo | None:
    return store.put(key, io.BytesIO(content), size_bytes=len(content), **options)


def put_surely(store: ObjectStore, key: str, content: bytes, **options: Any) -> ObjectInfo:
    info = put(store, key, content, **options)
    assert info is not None
    return info


def read(store: ObjectStore, key: str, version: str) -> bytes | Absence:
    with store.open(key, version=version) as found:
        return found.body.read() if isinstance(found, OpenObject) else found


def list_all(store: ObjectStore, *, limit: int) -> list[ObjectInfo]:
    """Every page after another, at most 50 of them."""
    objects: list[ObjectInfo] = []
    after = ""
    for _ in range(50):
        page = store.page(after=after, limit=limit)
        assert len(page.objects) <= limit
        objects += page.objects
        after = page.after
        if not after:
            return objects
    raise AssertionError("the listing does not end")


class ObjectStoreContract:
    """Give the `store` fixture: an empty bucket."""

    def test_object_is_read_back(self, store: ObjectStore) -> None:
        """What was put is read, with all that is known of it."""
        before_ms = time.time_ns() // 1_000_000
        info = put_surely(store, "a/b.txt", b"content", derived_from="id-1")

        with store.open("a/b.txt", version=info.version) as found:
            assert isinstance(found, OpenObject)
            content = found.body.read()
        assert content == b"content"
        assert (info.key, info.size_bytes, info.derived_from) == ("a/b.txt", 7, "id-1")
        assert abs(info.modified_at_ms - before_ms) < 60_000
        assert abs(found.info.modified_at_ms - info.modified_at_ms) < 2_000
        assert (found.info.key, found.info.version) == (info.key, info.version)
        assert (found.info.size_bytes, found.info.derived_from) == (7, "id-1")

    def test_object_is_found_by_its_key(self, store: ObjectStore) -> None:
        """The newest version of a key is found with all that is known of it; a key without an object is not."""
        put_surely(store, "u/a b", b"old")
        info = put_surely(store, "u/a b", b"newer", derived_from="id-1")

        found = store.find("u/a b")

        assert found is not None
        assert (found.key, found.version, found.size_bytes) == ("u/a b", info.version, 5)
        assert found.derived_from == "id-1"
        assert abs(found.modified_at_ms - info.modified_at_ms) < 2_000
        assert store.find("u/a") is None
        assert store.find("u/a b/c") is None

    def test_empty_object_is_an_object(self, store: ObjectStore) -> None:
        """An object of no bytes is stored, read and listed."""
        info = put_surely(store, "empty", b"")

        assert read(store, "empty", info.version) == b""
        assert [(o.key, o.version, o.size_bytes) for o in store.page().objects] == [("empty", info.version, 0)]

    @pytest.mark.parametrize("key", HOSTILE_KEYS.values(), ids=HOSTILE_KEYS)
    def test_hostile_key_is_only_a_name(self, store: ObjectStore, key: str) -> None:
        """Whatever the key, its object is read by it."""
        other = put_surely(store, "other", b"other")
        info = put_surely(store, key, b"mine")

        assert (info.key, read(store, key, info.version)) == (key, b"mine")
        assert read(store, "other", other.version) == b"other"

    @pytest.mark.parametrize("key", HOSTILE_KEYS.values(), ids=HOSTILE_KEYS)
    def test_hostile_key_is_listed(self, store: ObjectStore, key: str) -> None:
        """Whatever the key, a listing shows it as it is, and goes on after it."""
        for each in ("\N{BLACK SQUARE}", key):
            put_surely(store, each, b"x")

        assert {o.key for o in list_all(store, limit=1)} == {"\N{BLACK SQUARE}", key}

    def test_keys_that_look_alike_are_different(self, store: ObjectStore) -> None:
        """No key is decoded, folded or normalised on its way."""
        keys = ["a b", "a+b", "a%20b", "a%2Bb", "A b", "a b/", "/a b", "\u00e9", "e\u0301"]

        infos = [put_surely(store, key, key.encode()) for key in keys]

        assert [read(store, info.key, info.version) for info in infos] == [key.encode() for key in keys]

    def test_missing_key_is_missing(self, store: ObjectStore) -> None:
        """A key that holds nothing has no version either."""
        version = put_surely(store, "there", b"x").version

        assert read(store, "nowhere", version) is Absence.MISSING

    def test_unknown_version_gives_no_content(self, store: ObjectStore) -> None:
        """A version that the key never had is absent, even if the key has another, and the content is the same."""
        elsewhere = put_surely(store, "elsewhere", b"other content").version
        put_surely(store, "key", b"content")

        assert isinstance(read(store, "key", elsewhere), Absence)

    @pytest.mark.parametrize("version", ["", "etag:", "no such version", "etag:0"])
    def test_version_that_is_none_gives_no_content(self, store: ObjectStore, version: str) -> None:
        """Text that never was a version is absent, and does not stand for the newest one."""
        put_surely(store, "key", b"content")

        assert isinstance(read(store, "key", version), Absence)

    def test_old_version_never_gives_new_content(self, store: ObjectStore) -> None:
        """After an overwrite the old version gives its own content, or says that it was replaced."""
        old = put_surely(store, "key", b"old").version
        new = put_surely(store, "key", b"new").version

        assert read(store, "key", old) in (b"old", Absence.REPLACED)
        assert read(store, "key", new) == b"new"
        assert old != new

    def test_second_creator_loses(self, store: ObjectStore) -> None:
        """Of two that put if absent, the second changes nothing."""
        first = put_surely(store, "key", b"first", if_absent=True)

        assert put(store, "key", b"second", if_absent=True) is None
        assert read(store, "key", first.version) == b"first"
        assert [o.version for o in store.page().objects] == [first.version]

    def test_creators_race_has_one_winner(self, store: ObjectStore) -> None:
        """Of eight that put if absent at once, one wins and the object is its own."""
        for number in range(ROUND_COUNT):
            key = f"race-{number}"

            infos = race(lambda racer, key=key: put(store, key, b"%d" % racer, if_absent=True))

            winners = [(racer, info) for racer, info in enumerate(infos) if info]
            assert len(winners) == 1
            assert read(store, key, winners[0][1].version) == b"%d" % winners[0][0]

    @pytest.mark.parametrize("size_bytes", [0, 6, 8])
    def test_body_of_another_size_is_not_stored(self, store: ObjectStore, size_bytes: int) -> None:
        """A body that is shorter or longer than announced raises, and nothing is stored."""
        with pytest.raises(TransientError):
            store.put("key", io.BytesIO(b"7 bytes"), size_bytes=size_bytes)

        assert store.page().objects == []

    def test_big_object_is_streamed(self, store: ObjectStore) -> None:
        """32 MiB are read in chunks, and never held whole."""
        content = hashlib.shake_256(b"seed").digest(32 * MIB)
        expected = hashlib.sha256(content).hexdigest()
        info = put_surely(store, "big", content)
        del content

        digest, peak_bytes = self._digest(store, info)

        assert digest == expected
        assert peak_bytes < 4 * MIB

    def _digest(self, store: ObjectStore, info: ObjectInfo) -> tuple[str, int]:
        sha256 = hashlib.sha256()
        tracemalloc.start()
        try:
            with store.open(info.key, version=info.version) as found:
                assert isinstance(found, OpenObject)
                while chunk := found.body.read(CHUNK_BYTES):
                    assert len(chunk) <= CHUNK_BYTES
                    sha256.update(chunk)
            return sha256.hexdigest(), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_reading_ends_with_nothing(self, store: ObjectStore) -> None:
        """b"" comes at the end, only there, and again when asked again."""
        info = put_surely(store, "key", b"0123456789")

        with store.open("key", version=info.version) as found:
            assert isinstance(found, OpenObject)
            chunks = [found.body.read(4) for _ in range(12)]

        assert b"".join(chunks) == b"0123456789"
        assert all(chunks[: chunks.index(b"")])
        assert not any(chunks[chunks.index(b"") :])

    def test_body_may_be_left_unread(self, store: ObjectStore) -> None:
        """Whoever reads only the head, again and again, exhausts nothing."""
        info = put_surely(store, "key", b"x" * MIB)

        for _ in range(100):
            with store.open("key", version=info.version) as found:
                assert isinstance(found, OpenObject)
                assert found.body.read(1) == b"x"

        assert read(store, "key", info.version) == b"x" * MIB

    def test_error_while_reading_goes_through(self, store: ObjectStore) -> None:
        """What the reader raises is neither swallowed nor changed."""
        info = put_surely(store, "key", b"content")

        with pytest.raises(ZeroDivisionError), store.open("key", version=info.version):
            raise ZeroDivisionError

    def test_reader_keeps_its_version(self, store: ObjectStore) -> None:
        """An object that is overwritten while it is read gives its own bytes to the end, or an error."""
        old, new = b"o" * 4 * MIB, b"n" * 4 * MIB
        info = put_surely(store, "key", old)

        with store.open("key", version=info.version) as found:
            assert isinstance(found, OpenObject)
            content = found.body.read(1)
            put_surely(store, "key", new)
            while chunk := found.body.read(CHUNK_BYTES):
                content += chunk

        assert content == old

    def test_threads_share_a_store(self, store: ObjectStore) -> None:
        """Eight threads that put and read at once get each their own."""

        def put_and_read(number: int) -> bool:
            content = b"%d" % number * MIB
            info = put_surely(store, f"key-{number}", content)
            return read(store, f"key-{number}", info.version) == content

        assert all(race(put_and_read))

    def test_empty_bucket_has_an_empty_page(self, store: ObjectStore) -> None:
        """A listing of nothing ends at once."""
        page = store.page()

        assert (page.objects, page.after) == ([], "")

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
    def test_pages_give_each_object_once(self, store: ObjectStore, limit: int) -> None:
        """Whatever the page's limit, each key comes once, with the version by which it is read."""
        infos = {key: put_surely(store, key, key.encode()) for key in ("b", "a/1", "a/2", "ü", "c d", "b/")}

        listed = list_all(store, limit=limit)

        assert sorted(o.key for o in listed) == sorted(infos)
        assert {o.key: (o.version, o.size_bytes) for o in listed} == {
            key: (info.version, info.size_bytes) for key, info in infos.items()
        }

    @pytest.mark.parametrize("limit", [1, 2, 3, 1000])
    def test_pages_show_only_the_newest_version(self, store: ObjectStore, limit: int) -> None:
        """However often a key was overwritten, a listing shows it once, as it is now."""
        for _ in range(3):
            newest = {key: put_surely(store, key, key.encode()).version for key in ("a", "b", "c")}

        listed = list_all(store, limit=limit)

        assert [(o.key, o.version) for o in listed] == sorted(newest.items())


class KeepsVersionsContract:
    """What a bucket with versions promises beyond. Give the `store` fixture: an empty bucket."""

    def test_old_version_stays_readable(self, store: ObjectStore) -> None:
        """Overwriting a key takes nothing from its older versions, even if their content is the same."""
        versions = [put_surely(store, "key", content).version for content in (b"one", b"two", b"two")]

        assert len(set(versions)) == 3
        assert [read(store, "key", version) for version in versions] == [b"one", b"two", b"two"]

    def test_presigned_get_reads_its_version(self, store: ObjectStore) -> None:
        """A URL goes on reading the version for which it was made."""
        old = put_surely(store, "a b+c%/ü", b"old").version
        url = store.presign_get("a b+c%/ü", version=old, valid_s=60)
        put_surely(store, "a b+c%/ü", b"new")

        with urllib.request.urlopen(url) as answer:
            assert answer.read() == b"old"


class PresignedUrlContract:
    """What a store promises whose URLs work over HTTP. Give the `store` fixture: an empty bucket."""

    @pytest.mark.parametrize("key", HOSTILE_KEYS.values(), ids=HOSTILE_KEYS)
    def test_presigned_get_needs_no_credentials(self, store: ObjectStore, key: str) -> None:
        """Anybody with the URL reads the object, whatever its key."""
        version = put_surely(store, key, b"content").version

        assert _request("GET", store.presign_get(key, version=version, valid_s=60)) == (200, b"content")

    @pytest.mark.parametrize("key", ["a b+c%/ü", "../x"])
    def test_presigned_put_needs_no_credentials(self, store: ObjectStore, key: str) -> None:
        """Anybody with the URL and its headers puts the object."""
        presigned = store.presign_put(key, size_bytes=7, content_type="text/plain", valid_s=60)

        status, _ = _request("PUT", presigned.url, b"content", presigned.headers)

        [listed] = store.page().objects
        assert (status, listed.key, listed.size_bytes) == (200, key, 7)
        assert read(store, key, listed.version) == b"content"

    def test_presigned_put_is_for_one_size(self, store: ObjectStore) -> None:
        """A body of another size is refused."""
        presigned = store.presign_put("key", size_bytes=7, content_type="text/plain", valid_s=60)

        status, _ = _request("PUT", presigned.url, b"too long", dict(presigned.headers) | {"content-length": "8"})

        assert (status, store.page().objects) == (403, [])

    def test_presigned_put_is_for_one_type(self, store: ObjectStore) -> None:
        """Another content type is refused."""
        presigned = store.presign_put("key", size_bytes=7, content_type="text/plain", valid_s=60)

        status, _ = _request("PUT", presigned.url, b"content", dict(presigned.headers) | {"content-type": "text/html"})

        assert (status, store.page().objects) == (403, [])

    def test_presigned_url_is_for_one_key(self, store: ObjectStore) -> None:
        """A URL whose key was changed is refused."""
        version = put_surely(store, "key-1", b"one").version
        put_surely(store, "key-2", b"two")
        url = store.presign_get("key-1", version=version, valid_s=60)

        status, body = _request("GET", url.replace("key-1", "key-2"))

        assert status == 403
        assert body != b"two"

    def test_presigned_url_ends(self, store: ObjectStore) -> None:
        """A URL works no longer than was said."""
        version = put_surely(store, "key", b"content").version
        url = store.presign_get("key", version=version, valid_s=1)

        assert wait_until(lambda: _request("GET", url)[0] == 403, timeout_s=5, what="the URL's end", interval_s=0.1)


def _request(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
