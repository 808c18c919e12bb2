"""What fake-gcs-server forgets at every stop is kept, and comes back under new generations."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.pubsub_v1 import types

from drills.gcp.google import call, storage_client
from drills.gcp.kept_objects import KeptObjects
from drills.gcp.pubsub_messages import PubSubMessages
from drills.gcp.stand_ins import FakeGcs
from drills.supervisor import LOOPBACK

BUCKET = "kept"
OLD, NEW = "1795563539000001", "1795563539000777"


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Any, KeptObjects]]:
    """Give Google's client of a new and empty bucket with versions, and what keeps its objects in `folder`."""
    with FakeGcs(folder / "server") as server:
        bucket = {"name": BUCKET, "versioning": {"enabled": True}}
        call("POST", server.url, "/storage/v1/b", query={"project": "local"}, body=bucket)
        client = storage_client(server.url, project="local")
        yield (
            client.bucket(BUCKET),
            KeptObjects(folder / "objects", address=f"{LOOPBACK}:{server.port}", bucket=BUCKET),
        )
        client.close()


def seen(bucket: Any) -> list[tuple[Any, ...]]:
    """All versions with all that should come back: oldest first, with what was deleted or overwritten marked."""
    versions = sorted(bucket.list_blobs(versions=True), key=lambda blob: int(blob.generation))
    names = ("name", "size", "md5_hash", "content_type", "content_encoding", "cache_control", "metadata")
    return [(*(getattr(blob, name) for name in names), blob.time_deleted is None) for blob in versions]


def put(bucket: Any, key: str, content: bytes, **settings: Any) -> Any:
    blob = bucket.blob(key)
    for name, value in settings.items():
        setattr(blob, name, value)
    blob.upload_from_string(content, content_type="text/x-kept")
    return blob


def test_everything_comes_back(tmp_path: Path) -> None:
    """Versions, deleted keys, hostile names, metadata and packed content come back as they were; no key is a path."""
    with serving(tmp_path) as (bucket, kept):
        put(bucket, "twice", b"1")
        put(bucket, "../../escape", b"2")
        put(bucket, "line\nbreak/", b"3")
        put(bucket, "twice", b"44")
        put(bucket, "deleted", b"5").delete()
        put(bucket, "packed", gzip.compress(b"6" * 100, mtime=0), content_encoding="gzip", cache_control="no-store")
        put(bucket, "empty", b"", metadata={"ü": "ä\n"})
        put(bucket, "patched", b"7")
        before = seen(bucket)
        kept.save()

    with serving(tmp_path) as (bucket, kept):
        restored = kept.restore()
        after = seen(bucket)
        content = bucket.blob("../../escape").download_as_bytes()

    assert after == before
    assert content == b"2"
    assert len(restored.generations) == 8
    assert restored.event_count == 8 + 1 + 1  # one was overwritten, one deleted
    assert {path.parent for path in (tmp_path / "objects").iterdir()} == {tmp_path / "objects"}
    assert not (tmp_path.parent / "escape").exists()


def test_what_is_deleted_is_not_kept_for_ever(tmp_path: Path) -> None:
    """A second run keeps its own objects: contents that are there already are not written again, lost ones go."""
    with serving(tmp_path) as (bucket, kept):
        put(bucket, "a", b"1")
        kept.save()
        [content_file] = [path for path in (tmp_path / "objects").iterdir() if path.name != "index.json"]
        written_at_ns = content_file.stat().st_mtime_ns
        put(bucket, "b", b"2")
        kept.save()
        still_there = content_file.stat().st_mtime_ns
        count = len(list((tmp_path / "objects").iterdir()))

    with serving(tmp_path) as (_, kept):
        kept.save()

    assert still_there == written_at_ns
    assert count == 3
    assert [path.name for path in (tmp_path / "objects").iterdir()] == ["index.json"]


def test_damaged_content_is_not_put_back(tmp_path: Path) -> None:
    """Bytes that changed on disk are refused, with the key in the message."""
    with serving(tmp_path) as (bucket, kept):
        put(bucket, "key", b"1")
        kept.save()
    [content_file] = [path for path in (tmp_path / "objects").iterdir() if path.name != "index.json"]
    content_file.write_bytes(b"2")

    with serving(tmp_path) as (_, kept), pytest.raises(OSError, match="'key' could not be put back"):
        kept.restore()


def test_waiting_messages_learn_the_new_generations(tmp_path: Path) -> None:
    """In attributes and data, also in text within text; longer numbers that contain the old one stay."""
    messages = PubSubMessages(tmp_path / "pubsub.sqlite")
    messages.add_topic("topic")
    messages.add_subscription(types.Subscription.pb()(name="s", topic="topic", ack_deadline_seconds=10))
    data = f'{{"id": "b/k/{OLD}", "body": "{{\\"generation\\": \\"{OLD}\\"}}", "other": "{OLD}0"}}'
    attributes = {"objectId": "k"} | {f"generation{number}": OLD for number in range(50)}
    messages.publish("topic", [types.PubsubMessage.pb()(data=data.encode(), attributes=attributes)])

    messages.rename({OLD: NEW})

    [delivery] = messages.take(messages.subscription("s"), 1)
    messages.close()
    assert dict(delivery.message.attributes) == {"objectId": "k"} | {f"generation{n}": NEW for n in range(50)}
    assert delivery.message.data.decode() == data.replace(OLD, NEW).replace(f"{NEW}0", f"{OLD}0")
