"""An upload that a sweep found is seen as its event would show it, and takes its place among its key's versions."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest

import providers.aws.events
import providers.azure.events
import providers.gcp.events
from core.merge import current_uploads
from core.ports import ObjectInfo
from core.record import Record, State, deletion_record
from core.sweep import sweep
from core.upload import Deleted, Deletion, Ignored, Upload
from providers.azure.object_store import BlobObjectStore
from providers.gcp.object_store import GcsObjectStore
from tests.unit.cloud_in_memory import MemoryCloud


def version(name: str, *, sequencer: str, at_ms: int, state: State = State.RECORDED) -> Record:
    """A version of the key k, recorded at a time; without a sequencer, a sweep found it."""
    upload = Upload(upload_id=name, cloud="aws", bucket="b", key="k", version=name, sequencer=sequencer)
    return Record(upload=upload, state=state, recorded_at_ms=at_ms)


def deleted(*, sequencer: str, at_ms: int) -> Record:
    """A deletion of the key k."""
    found = Deletion(deleted=Deleted.KEY, cloud="aws", bucket="b", key="k", version="", sequencer=sequencer)
    return deletion_record(found, at_ms=at_ms)


HISTORIES = {
    "the overwriting version's event got lost": (
        [version("old", sequencer="1", at_ms=1), version("swept", sequencer="", at_ms=2)],
        ["swept"],
    ),
    "overwritten after the sweep": (
        [version("swept", sequencer="", at_ms=2), version("new", sequencer="3", at_ms=3)],
        ["new"],
    ),
    "overwritten after the sweep, and that one is not recorded yet": (
        [version("swept", sequencer="", at_ms=2), version("new", sequencer="3", at_ms=0, state=State.CLAIMED)],
        ["new"],
    ),
    "deleted after the sweep": ([version("swept", sequencer="", at_ms=2), deleted(sequencer="3", at_ms=3)], []),
    "put again after a deletion, and that event got lost": (
        [
            version("old", sequencer="1", at_ms=1),
            deleted(sequencer="2", at_ms=2),
            version("swept", sequencer="", at_ms=3),
        ],
        ["swept"],
    ),
    "swept twice, overwritten in between": (
        [version("first", sequencer="", at_ms=1), version("second", sequencer="", at_ms=2)],
        ["second"],
    ),
    "an old event came after the sweep, the newest before": (
        [
            version("late", sequencer="1", at_ms=3),
            version("newer", sequencer="2", at_ms=1),
            version("swept", sequencer="", at_ms=2),
        ],
        ["swept"],
    ),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_swept_version_follows_what_stood_when_it_was_seen(history: str) -> None:
    """Which version is current does not hang on the order in which records are read."""
    records, current = HISTORIES[history]

    for order in itertools.permutations(records):
        assert [record.upload.version for record in current_uploads(order)] == current


def aws_event(key: str, size_bytes: int) -> str:
    """A notification of S3."""
    info = ObjectInfo(key=key, version="v1", size_bytes=size_bytes)
    return str(providers.aws.events.notification_event(info, bucket="b")["Records"][0]["body"])


def azure_event(key: str, size_bytes: int) -> str:
    """An event of Event Grid."""
    info = ObjectInfo(key=key, version="0x8D1", size_bytes=size_bytes)
    return str(providers.azure.events.notification_event(info, bucket="b")["messages"][0]["body"])


def gcp_event(key: str, size_bytes: int) -> str:
    """A notification of Cloud Storage."""
    return json.dumps(
        providers.gcp.events.notification_event(ObjectInfo(key=key, version="17", size_bytes=size_bytes), bucket="b")
    )


PARSERS = {
    "aws": (providers.aws.events.parse, aws_event),
    "azure": (providers.azure.events.parse, azure_event),
    "gcp": (providers.gcp.events.parse, gcp_event),
}


@pytest.mark.parametrize("cloud", PARSERS)
def test_events_and_sweep_agree_on_folder_markers(cloud: str) -> None:
    """On every cloud the event of an empty object whose key ends with a slash is ignored, and no other's."""
    parse, event = PARSERS[cloud]

    kinds = {(key, size): type(parse(event(key, size))[0]) for key in ("folder/", "file") for size in (0, 1)}

    assert kinds == {("folder/", 0): Ignored, ("folder/", 1): Upload, ("file", 0): Upload, ("file", 1): Upload}


class Listing:
    """Answers every call with one listing of blobs, as an account with a hierarchical namespace writes it."""

    def __init__(self, entries: Sequence[tuple[str, str]]) -> None:
        properties = "<Last-Modified>Tue, 24 Nov 2026 00:00:00 GMT</Last-Modified><Etag>0x8D1</Etag>"
        self.body = "".join(
            f"<Blob><Name>{name}</Name><Properties>{properties}<ResourceType>{kind}</ResourceType>"
            f"<Content-Length>0</Content-Length></Properties></Blob>"
            for name, kind in entries
        ).encode()

    def call(self, *arguments: Any, **options: Any) -> "Listing":
        return self


def test_directories_of_azure_are_not_listed() -> None:
    """An account with a hierarchical namespace lists directories as empty blobs; an empty file is one."""
    client: Any = Listing([("folder", "directory"), ("folder/empty", "file")])

    page = BlobObjectStore(bucket="b", client=client).page()

    assert [info.key for info in page.objects] == ["folder/empty"]


class GoogleListing:
    """Answers every call with a listing of one object, as Cloud Storage writes it."""

    def call(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        stored = {"name": "k", "generation": "17", "size": "1", "timeCreated": "2026-11-24T00:00:00Z"}
        return {"items": [stored]}


def test_swept_upload_of_google_has_the_place_that_its_event_tells() -> None:
    """On Google Cloud a listing tells all that the event would, and so a sweep sends the same upload."""
    api: Any = GoogleListing()
    store = GcsObjectStore(bucket="b", api=api, signer=None, clock_ms=lambda: 0)
    memory = MemoryCloud()

    sweep(
        cloud="gcp",
        store=store,
        ledger=memory.ledger,
        work=memory.work,
        clock_ms=lambda: 2_000_000_000_000,
        min_age_s=0,
    )

    [message] = memory.work.receive(limit=10, wait_s=0, visibility_timeout_s=60)
    assert providers.gcp.events.parse(message.body) == providers.gcp.events.parse(gcp_event("k", 1))
