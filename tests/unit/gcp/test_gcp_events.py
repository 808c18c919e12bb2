"""What the messages of Google Cloud mean: tables of payloads, and laws over all keys."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cloudevents.http import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UploadRejectedError
from core.merge import current_uploads
from core.ports import Message, ObjectInfo
from core.record import Record, State, deletion_record
from core.upload import Deleted, Deletion, Ignored, Notice, Upload, upload_id_of
from core.work_item import to_text
from providers.gcp.events import delivery_event, messages_of, notification_event, parse

GENERATION = "1587627537231057"
SEQUENCER = f"0000{GENERATION}"
RECORDED = Path(__file__).parents[4] / "shared" / "events" / "gcp"

# What each published payload means; a bare object does not tell whether it was made or deleted.
MEANINGS: dict[str, str] = {
    "LogEntryData-pubsubCreateTopic.json": "Ignored",
    "MessagePublishedData-binary.json": "the message is no JSON",
    "MessagePublishedData-duplicatedFields.json": "the message is no JSON",
    "MessagePublishedData-text.json": "the message is no JSON",
    "StorageObjectData-complex.json": "type is missing",
    "StorageObjectData-simple.json": "type is missing",
    "StorageObjectDataWorkflows.json": "Upload",
    "pull-attributes-finalize.json": "Upload",
}


def stored(**fields: Any) -> dict[str, Any]:
    """A storage#object as Google writes it; None removes a field."""
    found = {"kind": "storage#object", "bucket": "in", "name": "a.txt", "generation": GENERATION, "size": "5"} | fields
    return {name: value for name, value in found.items() if value is not None}


def b64(payload: Any) -> str:
    return base64.b64encode(payload if isinstance(payload, bytes) else json.dumps(payload).encode()).decode()


def notification(kind: str = "OBJECT_FINALIZE", payload: Any = None, **attributes: Any) -> dict[str, Any]:
    """A notification as Pub/Sub pushes it; None removes an attribute."""
    found = {
        "eventType": kind,
        "payloadFormat": "JSON_API_V1",
        "bucketId": "in",
        "objectId": "a.txt",
        "objectGeneration": GENERATION,
        "notificationConfig": "projects/_/buckets/in/notificationConfigs/5",
    } | attributes
    message = {
        "attributes": {name: value for name, value in found.items() if value is not None},
        "data": b64(stored() if payload is None else payload),
        "messageId": "7",
    }
    return {"message": message, "subscription": "projects/p/subscriptions/work"}


def cloud_event(kind: str = "finalized", **fields: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e-1",
        "type": f"google.cloud.storage.object.v1.{kind}",
        "source": "//storage.googleapis.com/projects/_/buckets/in",
        "subject": "objects/a.txt",
        "data": stored(**fields),
    }


def background(kind: str = "google.storage.object.finalize", **fields: Any) -> dict[str, Any]:
    return {"context": {"eventId": "1", "eventType": kind, "resource": {}}, "data": stored(**fields)}


def upload(key: str = "a.txt", version: str = GENERATION, size_bytes: int | None = 5) -> Upload:
    return Upload(
        upload_id=upload_id_of(cloud="gcp", bucket="in", key=key, version=version),
        cloud="gcp",
        bucket="in",
        key=key,
        version=version,
        size_bytes=size_bytes,
        sequencer=version.rjust(20, "0"),
    )


def deletion(deleted: Deleted, *, version: str, sequencer: str) -> Deletion:
    return Deletion(deleted=deleted, cloud="gcp", bucket="in", key="a.txt", version=version, sequencer=sequencer)


GONE = deletion(Deleted.VERSION, version=GENERATION, sequencer=SEQUENCER)
HIDDEN = deletion(Deleted.KEY, version="", sequencer=f"{SEQUENCER}.1")

MEANT: dict[str, tuple[dict[str, Any], Notice]] = {
    "a notification": (notification(), upload()),
    "a notification without its payload": (
        notification(payload=b"", payloadFormat="NONE"),
        upload(size_bytes=None),
    ),
    "an overwrite": (notification(overwroteGeneration="1"), upload()),
    "unknown fields": (notification(payload=stored(brandNew={"a": 1}), brandNew="x"), upload()),
    "a deletion": (notification("OBJECT_DELETE"), GONE),
    "an old version's end": (notification("OBJECT_DELETE", overwrittenByGeneration="1587627537231058"), GONE),
    "a deletion where versions are kept": (notification("OBJECT_ARCHIVE"), HIDDEN),
    "a CloudEvent": (cloud_event(), upload()),
    "a CloudEvent of a deletion": (cloud_event("deleted"), GONE),
    "a CloudEvent of an archival": (cloud_event("archived"), HIDDEN),
    "numbers as numbers": (cloud_event(generation=int(GENERATION), size=5), upload()),
    "no size": (cloud_event(size=None), upload(size_bytes=None)),
    "data in base64": ({**cloud_event(), "data": None, "data_base64": b64(stored())}, upload()),
    "a background event": (background(), upload()),
    "a background event of a deletion": (background("google.storage.object.delete"), GONE),
    "an old background event": ({"eventType": "google.storage.object.finalize", "data": stored()}, upload()),
    "a notification in a CloudEvent": (
        {
            "specversion": "1.0",
            "type": "google.cloud.pubsub.topic.v1.messagePublished",
            "data": notification(),
        },
        upload(),
    ),
    "a notification in a background event": (
        {"context": {"eventType": "google.pubsub.topic.publish"}, "data": notification()["message"]},
        upload(),
    ),
    "a redriven notification": ({"message": {"data": b64(notification())}}, upload()),
    "a dead letter": (
        {"message": {"data": b64(cloud_event()), "attributes": {"CloudPubSubDeadLetterSourceDeliveryCount": "5"}}},
        upload(),
    ),
    "an empty object": (cloud_event(size="0"), upload(size_bytes=0)),
    "a folder with content": (cloud_event(name="a/", size="5"), upload("a/")),
}


@pytest.mark.parametrize(("event", "meaning"), MEANT.values(), ids=MEANT)
def test_meaning(event: dict[str, Any], meaning: Notice) -> None:
    """Each event means one thing, on whatever way it came."""
    assert parse(json.dumps(event)) == [meaning]


@pytest.mark.parametrize(
    "event",
    [
        notification("OBJECT_METADATA_UPDATE"),
        notification("OBJECT_ARCHIVE", overwrittenByGeneration="2"),
        notification("SOMETHING_NEW"),
        cloud_event("metadataUpdated"),
        background("google.storage.object.metadataUpdate"),
        cloud_event(name="folder/", size="0"),
        {"specversion": "1.0", "type": "google.cloud.audit.log.v1.written", "data": {}},
        {"protoPayload": {}, "logName": "x"},
    ],
)
def test_ignored(event: dict[str, Any]) -> None:
    """What is neither an upload nor a deletion is ignored, and says why."""
    [notice] = parse(json.dumps(event))

    assert isinstance(notice, Ignored)
    assert notice.reason


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("nonsense", "JSON"),
        ("[]", "JSON object"),
        ("{}", "type"),
        (json.dumps(stored()), "type"),
        (json.dumps(cloud_event(generation=None)), "generation"),
        (json.dumps(cloud_event(generation="x")), "generation"),
        (json.dumps(cloud_event(generation=-1)), "generation"),
        (json.dumps(cloud_event(generation=True)), "generation"),
        (json.dumps(cloud_event(size="many")), "size"),
        (json.dumps(cloud_event(size=1.5)), "size"),
        (json.dumps(cloud_event(name=None)), "name"),
        (json.dumps(cloud_event(name="")), "name"),
        (json.dumps(cloud_event(name="k" * 1025)), "name"),
        (json.dumps(cloud_event(name="\ud800")), "name"),
        (json.dumps(cloud_event(bucket=7)), "bucket"),
        (json.dumps({**cloud_event(), "data": "text"}), "data"),
        (json.dumps(notification(objectId=None)), "objectId"),
        (json.dumps(notification(payload=b"\xff")), "message.data"),
        (json.dumps(notification(payload=b"[]")), "message.data"),
        (json.dumps({"message": {"data": "%"}}), "message.data"),
        (json.dumps({"message": {}}), "message.data"),
        (json.dumps({"message": {"attributes": [1], "data": ""}}), "message.attributes"),
        (json.dumps({"sluice": 2}), "format"),
    ],
)
def test_rejected(body: str, field: str) -> None:
    """What makes no sense is rejected, and the reason names the field."""
    with pytest.raises(UploadRejectedError, match=field):
        parse(body)


def test_messages_in_messages_end() -> None:
    """A message that holds itself a thousand times is rejected, and exhausts nothing."""
    event: dict[str, Any] = cloud_event()
    for _ in range(7):
        event = {"message": {"data": b64(event)}}

    with pytest.raises(UploadRejectedError, match="messages in messages"):
        parse(json.dumps(event))


@given(st.text(min_size=1, max_size=100))
def test_key_is_never_decoded(key: str) -> None:
    """Whatever the key, it comes out as it is."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return
    [notice] = parse(json.dumps(notification(payload=stored(name=key), objectId=key)))

    assert isinstance(notice, Upload)
    assert notice.key == key


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)))
def test_nothing_else_is_raised(payload: dict[str, Any]) -> None:
    """Any JSON means something or is rejected."""
    for body in (payload, {"message": payload}, {**cloud_event(), "data": payload}, {**notification(), **payload}):
        try:
            assert len(parse(json.dumps(body))) == 1
        except UploadRejectedError:
            continue


def test_work_item_is_read() -> None:
    """Our own messages are read as well, whatever queue they came through."""
    assert parse(to_text(upload())) == [upload()]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1), (1, 0, 2), (2, 0, 1)])
def test_deleted_key_shows_nothing_until_it_is_put_again(order: tuple[int, int, int]) -> None:
    """Where versions are kept, a key's deletion stands after its last version and before the next."""
    of = [record(upload()), deletion_record(HIDDEN, at_ms=1), record(upload(version="1587627537231056"))]
    later = record(upload(version="1587627537231058"))

    assert current_uploads(of[i] for i in order) == []
    assert current_uploads([*(of[i] for i in order), later]) == [later]


def record(of: Upload) -> Record:
    return Record(upload=of, state=State.RECORDED, sha256="00", recorded_at_ms=1, recorded_by="gcp")


@pytest.mark.parametrize("attempt", [None, 3])
def test_pushed_message(attempt: int | None) -> None:
    """A push, its CloudEvent, and a pull of the same message give the same body."""
    push = {**notification(), **({"deliveryAttempt": attempt} if attempt else {})}
    attributes = {"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub.googleapis.com/"}

    [pushed] = messages_of(push)
    [in_event] = messages_of(CloudEvent(attributes, {"message": push["message"]}))
    [pulled] = messages_of({"receivedMessages": [{"ackId": "a", "message": push["message"]}]})

    assert (pushed.message_id, pushed.receipt, pushed.receive_count) == ("7", "", attempt or 1)
    assert pushed.body == in_event.body == pulled.body
    assert pulled.receipt == "a"
    assert parse(pushed.body) == [upload()]


def test_cloud_event_of_the_bucket() -> None:
    """An event that Eventarc sends without Pub/Sub's envelope is understood as well."""
    event = cloud_event()

    [message] = messages_of(CloudEvent({name: value for name, value in event.items() if name != "data"}, event["data"]))

    assert parse(message.body) == [upload()]


def test_delivery_is_read_back() -> None:
    """Messages survive the way through the event that delivers them."""
    messages = [Message(message_id=str(n), body=f"ü {n}", receipt=f"r{n}", receive_count=n) for n in (1, 2)]

    assert messages_of(delivery_event(messages)) == messages


def test_notification_of_a_put() -> None:
    """The event that `sls put` prints is read as an upload of that object."""
    info = ObjectInfo(key="a.txt", version=GENERATION, size_bytes=5, modified_at_ms=1_795_496_497_337)

    [message] = messages_of(notification_event(info, bucket="in"))

    assert parse(message.body) == [upload()]


@pytest.mark.skipif(not RECORDED.exists(), reason=f"no published payloads in {RECORDED}")
def test_published_payloads() -> None:
    """Each published payload means what the table says, and none is left out."""
    found = {}
    for path in sorted(RECORDED.rglob("*.json")):
        try:
            [notice] = parse(path.read_text())
            found[path.name] = type(notice).__name__
        except UploadRejectedError as error:
            found[path.name] = str(error).partition(":")[0]

    assert found == MEANINGS
