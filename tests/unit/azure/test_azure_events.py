"""What messages of Azure mean, with payloads in the documented forms, their published oddities included."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import UploadRejectedError
from core.ports import ObjectInfo
from core.upload import Deleted, Deletion, Ignored, Upload
from core.work_item import to_text
from providers.azure.events import messages_of, notification_event, parse

EVENTS = Path(__file__).parents[4] / "shared" / "events" / "azure"


def event(kind: str = "BlobCreated", *, key: str = "a b+%41.txt", **data: Any) -> dict[str, Any]:
    """An event in the Event Grid schema."""
    found = {"api": "PutBlob", "eTag": "0x8D1", "contentLength": 3, "sequencer": "0a1"} | data
    return {
        "eventType": f"Microsoft.Storage.{kind}",
        "subject": f"/blobServices/default/containers/c/blobs/{key}",
        "data": found,
    }


def cloud_event(field: str) -> dict[str, Any]:
    """The same in the CloudEvents schema; `field` is how the publisher spells specversion."""
    same = event()
    return {"type": same["eventType"], "subject": same["subject"], "data": same["data"], field: "1.0"}


@pytest.mark.parametrize(
    "payload",
    [event(), [event()], cloud_event("specversion"), cloud_event("specVersion"), event(eTag='"0x8D1"')],
    ids=["object", "list", "CloudEvents", "camel case", "quoted eTag"],
)
def test_upload_in_every_schema(payload: Any) -> None:
    """Whatever the envelope, the upload is the same; a key from the subject is not decoded."""
    [upload] = parse(json.dumps(payload))

    assert isinstance(upload, Upload)
    assert (upload.bucket, upload.key, upload.version, upload.size_bytes) == ("c", "a b+%41.txt", "0x8D1", 3)
    assert upload.sequencer.endswith("0A1")


def test_base64_is_read_as_well() -> None:
    """Case 12: a message may be base64 or not."""
    text = json.dumps(event())

    assert parse(base64.b64encode(text.encode()).decode()) == parse(text)


def test_neither_is_named() -> None:
    """Case 12: what is neither JSON nor base64 of it says so."""
    with pytest.raises(UploadRejectedError, match="neither plain nor in base64"):
        parse("hello?")


def test_key_from_url_is_decoded_once() -> None:
    """Without a subject the URL tells, which is encoded."""
    payload = event(url="https://a.blob.core.windows.net/c/a%20b%2B%2541.txt?x=y") | {"subject": ""}

    [upload] = parse(json.dumps(payload))

    assert isinstance(upload, Upload)
    assert (upload.bucket, upload.key) == ("c", "a b+%41.txt")


@pytest.mark.parametrize("api", ["CreateFile", "SftpCreate"])
def test_placeholder_is_no_upload(api: str) -> None:
    """Case 8: the empty file that stands before the complete one is ignored."""
    [notice] = parse(json.dumps(event(api=api, contentLength=0)))

    assert isinstance(notice, Ignored)


@pytest.mark.parametrize(("api", "size_bytes"), [("FlushWithClose", 0), ("SftpCommit", None), ("PutBlob", 0)])
def test_complete_file_is_an_upload(api: str, size_bytes: int | None) -> None:
    """Case 8: the complete file is, even an empty one; SftpCommit tells no true size."""
    [upload] = parse(json.dumps(event(api=api, contentLength=0)))

    assert isinstance(upload, Upload)
    assert upload.size_bytes == size_bytes


@pytest.mark.parametrize("kind", ["BlobTierChanged", "BlobRenamed", "DirectoryCreated", "BlobInventoryPolicyCompleted"])
def test_other_events_are_ignored(kind: str) -> None:
    """Tier changes, renames and directories are neither uploads nor deletions."""
    [notice] = parse(json.dumps(event(kind)))

    assert isinstance(notice, Ignored)


def test_validation_is_never_an_upload() -> None:
    """Case 11: the handshake of a subscription is ignored."""
    payload = [{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "subject": "", "data": {}}]

    [notice] = parse(json.dumps(payload))

    assert isinstance(notice, Ignored)


def test_deletion() -> None:
    """A deletion names the key, and its place in the key's history."""
    [deletion] = parse(json.dumps(event("BlobDeleted", sequencer="b2")))

    assert isinstance(deletion, Deletion)
    assert (deletion.deleted, deletion.key, deletion.version) == (Deleted.KEY, "a b+%41.txt", "")
    assert deletion.sequencer.endswith("0B2")


def test_dead_letter_is_read() -> None:
    """An event that Event Grid gave up means the same as before."""
    dead = event() | {"deadLetterReason": "MaxDeliveryAttemptsExceeded", "deliveryAttempts": 30}

    assert parse(json.dumps(dead)) == parse(json.dumps(event()))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"eTag": ""}, "eTag"),
        ({"eTag": "*"}, "eTag"),
        ({"contentLength": "3"}, "contentLength"),
        ({"contentLength": -1}, "contentLength"),
    ],
)
def test_wrong_field_is_named(change: dict[str, Any], named: str) -> None:
    """A field that makes no sense rejects the message, and is named."""
    with pytest.raises(UploadRejectedError, match=named):
        parse(json.dumps(event(**change)))


@pytest.mark.parametrize("body", ["[]", "{}", "3", "[3]", '{"eventType": 3}'])
def test_what_is_no_event_is_rejected(body: str) -> None:
    """Any JSON that is no event is rejected, not skipped."""
    with pytest.raises(UploadRejectedError):
        parse(body)


def test_work_item_is_read() -> None:
    """Our own work items come through the same queue."""
    [upload] = parse(json.dumps(event()))
    assert isinstance(upload, Upload)

    assert parse(to_text(upload)) == [upload]


@pytest.mark.parametrize("key", ["a b+%41.txt", "ü/😀", "../x", "a\nb"])
def test_built_event_is_read_back(key: str) -> None:
    """The event that `sls put` prints is the upload that was put."""
    info = ObjectInfo(key=key, version="0x8D1", size_bytes=3, modified_at_ms=1)

    [message] = messages_of(notification_event(info, bucket="c"))

    [upload] = parse(message.body)
    assert isinstance(upload, Upload)
    assert (upload.bucket, upload.key, upload.version) == ("c", key, "0x8D1")


@pytest.mark.skipif(not EVENTS.is_dir(), reason="the collected payloads are not here")
def test_collected_payloads_are_read() -> None:
    """Every published payload is an upload, a deletion or ignored; the answer to a handshake is none of them."""
    kinds = {}
    for path in sorted(EVENTS.rglob("*.json")):
        if path.name == "subscription-validation-response.json":
            continue
        kinds[path.stem] = {type(notice).__name__ for notice in parse(path.read_text())}

    uploads = {name for name, found in kinds.items() if found == {"Upload"}}
    assert uploads == {
        "blob-created-cloudevents",
        "blob-created-eventgrid",
        "dead-letter-event",
        "sftp-commit-cloudevents",
    }
    assert {name for name, found in kinds.items() if found == {"Deletion"}} == {"blob-deleted-cloudevents"}
