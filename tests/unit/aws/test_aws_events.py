"""What the messages of AWS mean: tables of payloads, and laws over all keys."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UploadRejectedError
from core.ports import Message, ObjectInfo
from core.upload import Deleted, Deletion, Ignored, Notice, Upload, upload_id_of
from core.work_item import to_text
from providers.aws.events import delivery_event, messages_of, notification_event, parse

ETAG = "0f343b0931126a20f133d67c2b018a3b"
SEQUENCER = "0066F5C0A1B2C3D4E5"
PADDED = SEQUENCER + "0" * 14
RECORDED = Path(__file__).parents[4] / "shared" / "events" / "aws"


def s3_record(name: str = "ObjectCreated:Put", **thing: Any) -> dict[str, Any]:
    """One record as S3 writes it; `thing` overrides the object's fields, and None removes one."""
    fields = {"key": "a.txt", "size": 5, "eTag": ETAG, "sequencer": SEQUENCER} | thing
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {
            "bucket": {"name": "in", "arn": "arn:aws:s3:::in"},
            "object": {field: value for field, value in fields.items() if value is not None},
        },
    }


def s3_body(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": records})


def bridge_event(name: str = "Object Created", *, deletion: str = "", **thing: Any) -> dict[str, Any]:
    fields = {"key": "a.txt", "size": 5, "etag": ETAG, "sequencer": SEQUENCER.lower()} | thing
    detail: dict[str, Any] = {"version": "0", "bucket": {"name": "in"}, "object": fields}
    if deletion:
        detail["deletion-type"] = deletion
    return {"version": "0", "id": "e-1", "source": "aws.s3", "detail-type": name, "detail": detail}


def sns_envelope(body: str) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": body}


def upload(key: str = "a.txt", version: str = f"etag:{ETAG}", size_bytes: int | None = 5) -> Upload:
    upload_id = upload_id_of(cloud="aws", bucket="in", key=key, version=version)
    return Upload(
        upload_id=upload_id,
        cloud="aws",
        bucket="in",
        key=key,
        version=version,
        size_bytes=size_bytes,
        sequencer=PADDED,
    )


def deletion(deleted: Deleted, version: str) -> Deletion:
    return Deletion(deleted=deleted, cloud="aws", bucket="in", key="a.txt", version=version, sequencer=PADDED)


ACCEPTED: dict[str, tuple[str, list[Notice]]] = {
    "a put": (s3_body(s3_record()), [upload()]),
    "with s3: before the name": (s3_body(s3_record("s3:ObjectCreated:Put")), [upload()]),
    "a copy": (s3_body(s3_record("ObjectCreated:Copy")), [upload()]),
    "a kind of creation that is new": (s3_body(s3_record("ObjectCreated:Beam")), [upload()]),
    "a multipart eTag": (
        s3_body(s3_record("ObjectCreated:CompleteMultipartUpload", eTag=f"{ETAG}-3")),
        [upload(version=f"etag:{ETAG}-3")],
    ),
    "a quoted eTag in upper case": (s3_body(s3_record(eTag=f'"{ETAG.upper()}"')), [upload()]),
    "a versioned object": (s3_body(s3_record(versionId="v.1_A")), [upload(version="v.1_A")]),
    "a null version": (s3_body(s3_record(versionId="null")), [upload()]),
    "a version that is JSON null": (s3_body(s3_record(versionId="NULL")).replace('"NULL"', "null"), [upload()]),
    "no size": (s3_body(s3_record(size=None)), [upload(size_bytes=None)]),
    "an empty object": (s3_body(s3_record(size=0)), [upload(size_bytes=0)]),
    "a folder that is not empty": (s3_body(s3_record(key="d/")), [upload(key="d/")]),
    "plus is a blank": (s3_body(s3_record(key="red+flower.jpg")), [upload(key="red flower.jpg")]),
    "an encoded plus": (s3_body(s3_record(key="a%2Bb")), [upload(key="a+b")]),
    "an encoded percent is decoded once": (s3_body(s3_record(key="50%252B")), [upload(key="50%2B")]),
    "an at sign, as S3 encodes it": (s3_body(s3_record(key="a%40b")), [upload(key="a@b")]),
    "unicode": (s3_body(s3_record(key="%C3%BC/%F0%9F%98%80")), [upload(key="ü/😀")]),
    "a decoded key beside is not needed": (s3_body(s3_record(key="a+b", urlDecodedKey="wrong")), [upload(key="a b")]),
    "1,024 bytes": (s3_body(s3_record(key="%C3%BC" * 512)), [upload(key="ü" * 512)]),
    "a newer minor version, with more fields": (
        s3_body(s3_record(brandNew={"x": 1}) | {"eventVersion": "2.99", "new": []}),
        [upload()],
    ),
    "several records": (
        s3_body(s3_record(key="a"), s3_record("ObjectTagging:Put"), s3_record(key="b")),
        [upload(key="a"), Ignored(reason="ObjectTagging:Put is no upload and no deletion"), upload(key="b")],
    ),
    "a deletion": (
        s3_body(s3_record("ObjectRemoved:Delete", size=None, eTag=None)),
        [deletion(Deleted.KEY, "")],
    ),
    "a deletion of one version": (
        s3_body(s3_record("ObjectRemoved:Delete", versionId="v1")),
        [deletion(Deleted.VERSION, "v1")],
    ),
    "a deletion of the null version": (
        s3_body(s3_record("ObjectRemoved:Delete", versionId="null")),
        [deletion(Deleted.KEY, "")],
    ),
    "a delete marker": (
        s3_body(s3_record("ObjectRemoved:DeleteMarkerCreated", versionId="m1")),
        [deletion(Deleted.KEY, "m1")],
    ),
    "an expiry": (s3_body(s3_record("LifecycleExpiration:Delete")), [deletion(Deleted.KEY, "")]),
    "an expiry by delete marker": (
        s3_body(s3_record("s3:LifecycleExpiration:DeleteMarkerCreated", versionId="m1")),
        [deletion(Deleted.KEY, "m1")],
    ),
    "EventBridge: created": (json.dumps(bridge_event()), [upload()]),
    "EventBridge: keys are not encoded": (json.dumps(bridge_event(key="a+b%2B")), [upload(key="a+b%2B")]),
    "EventBridge: a version": (json.dumps(bridge_event(**{"version-id": "v1"})), [upload(version="v1")]),
    "EventBridge: deleted": (
        json.dumps(bridge_event("Object Deleted", deletion="Permanently Deleted")),
        [deletion(Deleted.KEY, "")],
    ),
    "EventBridge: a version deleted": (
        json.dumps(bridge_event("Object Deleted", deletion="Permanently Deleted", **{"version-id": "v1"})),
        [deletion(Deleted.VERSION, "v1")],
    ),
    "EventBridge: a delete marker": (
        json.dumps(bridge_event("Object Deleted", deletion="Delete Marker Created", **{"version-id": "m1"})),
        [deletion(Deleted.KEY, "m1")],
    ),
    "SNS with envelope": (json.dumps(sns_envelope(s3_body(s3_record()))), [upload()]),
    "SNS that calls directly": (
        json.dumps({"Records": [{"EventSource": "aws:sns", "Sns": sns_envelope(s3_body(s3_record()))}]}),
        [upload()],
    ),
    "EventBridge through SNS": (json.dumps(sns_envelope(json.dumps(bridge_event()))), [upload()]),
    "our own work item": (to_text(upload()), [upload()]),
}

IGNORED = {
    "the test event": json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "in"}),
    "a folder's marker": s3_body(s3_record(key="d/", size=0)),
    "EventBridge: a folder's marker": json.dumps(bridge_event(key="d/", size=0)),
    **{
        name: s3_body(s3_record(name))
        for name in (
            *("ObjectAcl:Put", "ObjectTagging:Delete", "ObjectRestore:Completed", "LifecycleTransition"),
            *("IntelligentTiering", "Replication:OperationFailedReplication", "ReducedRedundancyLostObject"),
            *("s3:ObjectRemoved:Unheard", "s3:Unheard:Of"),
        )
    },
    "EventBridge: tags": json.dumps(bridge_event("Object Tags Added")),
}

_NO_BUCKET = s3_record()
del _NO_BUCKET["s3"]["bucket"]

REJECTED = {
    "no JSON": ("{", "no JSON"),
    "endless nesting": ("[" * 100_000, "no JSON"),
    "a number of a million digits": ("1" * 1_000_000, "no JSON"),
    "a list": ("[]", "no JSON object"),
    "text": ('"text"', "no JSON object"),
    "nothing known": ("{}", "Records"),
    "no records": (s3_body(), "Records"),
    "records that are no list": ('{"Records": {}}', "Records"),
    "a record that is none": ('{"Records": [7]}', "eventSource"),
    "another source": (s3_body(s3_record() | {"eventSource": "aws:ses"}), "eventSource"),
    "no version of the event": (s3_body(s3_record() | {"eventVersion": None}), "eventVersion"),
    "another major version": (s3_body(s3_record() | {"eventVersion": "3.0"}), "eventVersion"),
    "no name": (s3_body(s3_record() | {"eventName": 1}), "eventName"),
    "no s3": (s3_body(s3_record() | {"s3": None}), "s3"),
    "no bucket": (s3_body(_NO_BUCKET), "bucket"),
    "no key": (s3_body(s3_record(key=None)), "key"),
    "an empty key": (s3_body(s3_record(key="")), "key"),
    "a key that is no text": (s3_body(s3_record(key=7)), "key"),
    "a key that is no UTF-8": (s3_body(s3_record(key="%FF")), "object.key"),
    "a key with half a character": (s3_body(s3_record(key="\ud83d")), "object.key"),
    "a broken escape": (s3_body(s3_record(key="50%")), "object.key"),
    "1,025 bytes": (s3_body(s3_record(key="k" * 1025)), "object.key"),
    "neither version nor eTag": (s3_body(s3_record(eTag=None)), "eTag"),
    "a version that is no text": (s3_body(s3_record(versionId=3)), "versionId"),
    "a size that is no number": (s3_body(s3_record(size="5")), "object.size"),
    "a negative size": (s3_body(s3_record(size=-1)), "object.size"),
    "a size that is true": (s3_body(s3_record(size=True)), "object.size"),
    "one bad record among good ones": (s3_body(s3_record(), s3_record(key=None)), "key"),
    "SNS without JSON": (json.dumps(sns_envelope("Hello")), "no JSON"),
    "SNS without message": (json.dumps({"Type": "Notification"}), "Message"),
    "SNS asks for a confirmation": (json.dumps({"Type": "SubscriptionConfirmation", "Message": "x"}), "Records"),
    "EventBridge: another source": (json.dumps(bridge_event() | {"source": "aws.ec2"}), "source"),
    "EventBridge: no detail": (json.dumps(bridge_event() | {"detail": None}), "detail"),
    "EventBridge: another way to delete": (json.dumps(bridge_event("Object Deleted", deletion="x")), "deletion-type"),
    "EventBridge: a later format": (
        json.dumps(bridge_event() | {"detail": bridge_event()["detail"] | {"event-version": "2.0"}}),
        "event-version",
    ),
    "a work item of a later format": ('{"sluice": 2}', "format"),
}


@pytest.mark.parametrize(("body", "notices"), ACCEPTED.values(), ids=ACCEPTED)
def test_known_messages_are_read(body: str, notices: list[Notice]) -> None:
    """Each known message gives precisely these notices."""
    assert parse(body) == notices


@pytest.mark.parametrize("body", IGNORED.values(), ids=IGNORED)
def test_other_events_are_ignored_with_a_reason(body: str) -> None:
    """What is neither an upload nor a deletion is ignored, and says why."""
    [notice] = parse(body)

    assert isinstance(notice, Ignored)
    assert notice.reason


@pytest.mark.parametrize(("body", "named"), REJECTED.values(), ids=REJECTED)
def test_malformed_messages_are_rejected_by_field(body: str, named: str) -> None:
    """A message that makes no sense is rejected, and the reason names the field but quotes no key."""
    with pytest.raises(UploadRejectedError, match=named) as caught:
        parse(body)

    assert "a.txt" not in str(caught.value)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6"),
        ("0055AED6DCD90281E5", "0055aed6dcd90281e6"),
        ("0055aed6dcd90281e5", "0055AED6DCD90281E6"),
        ("0055AED6DC", "0055AED6DC01"),
        ("1", "A"),
        ("a", "B"),
        ("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"),
    ],
)
def test_sequencers_compare_as_text(earlier: str, later: str) -> None:
    """After padding, plain comparison of text orders sequencers of any length and case."""
    [[first], [second]] = [parse(s3_body(s3_record(sequencer=s))) for s in (earlier, later)]

    assert isinstance(first, Upload)
    assert isinstance(second, Upload)
    assert first.sequencer < second.sequencer


def test_equal_sequencers_of_different_length_are_equal() -> None:
    """Zeros to the right make no difference."""
    [[first], [second]] = [parse(s3_body(s3_record(sequencer=s))) for s in ("00ab", "00AB00")]

    assert first == second


def test_no_sequencer_is_empty_text() -> None:
    """An event without sequencer gives "", which comes before every other."""
    [notice] = parse(s3_body(s3_record(sequencer=None)))

    assert isinstance(notice, Upload)
    assert notice.sequencer == ""


def test_ways_of_one_event_agree_on_the_id() -> None:
    """The notification and the EventBridge event of one object are the same upload."""
    notification = parse(s3_body(s3_record(key="a+b", versionId="v1")))
    event = parse(json.dumps(bridge_event(key="a b", **{"version-id": "v1"})))

    assert notification == event


def test_batch_gives_its_messages() -> None:
    """An SQS batch gives each message with what acknowledges it."""
    messages = [
        Message(message_id="m1", body="first", receipt="r1", receive_count=1),
        Message(message_id="m2", body="second", receipt="r2", receive_count=7),
    ]

    assert messages_of(delivery_event(messages)) == messages


@pytest.mark.parametrize(
    "event",
    [
        {"Records": [s3_record()]},
        bridge_event(),
        {"Records": [{"EventSource": "aws:sns", "Sns": sns_envelope(s3_body(s3_record()))}]},
        json.loads(to_text(upload())),
    ],
    ids=["S3", "EventBridge", "SNS", "work item"],
)
def test_direct_events_become_one_message(event: dict[str, Any]) -> None:
    """What is not a batch becomes one message without receipt, with an id that is the same each time."""
    [message] = messages_of(event)

    assert (message.receipt, message.receive_count) == ("", 1)
    assert messages_of(event) == [message]
    assert parse(message.body) == [upload()]


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"Records": 1}, [], "text", None, {"Records": [None]}])
def test_strange_direct_events_are_rejected_by_parse(event: Any) -> None:
    """An event of no known shape still becomes a message, which is then rejected, and so kept."""
    [message] = messages_of(event)

    with pytest.raises(UploadRejectedError):
        parse(message.body)


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda k: len(k.encode()) <= 1024),
    version=st.one_of(st.from_regex(r"etag:[0-9a-f]{32}(-[1-9][0-9]?)?", fullmatch=True), st.uuids().map(str)),
    size_bytes=st.integers(1, 2**40),
)
def test_built_notification_is_read_back(key: str, version: str, size_bytes: int) -> None:
    """What `sls put` prints is read as the very object, whatever its key."""
    info = ObjectInfo(key=key, version=version, size_bytes=size_bytes, modified_at_ms=1_764_000_000_123)

    [message] = messages_of(json.loads(json.dumps(notification_event(info, bucket="in"))))
    [notice] = parse(message.body)

    assert isinstance(notice, Upload)
    assert (notice.bucket, notice.key, notice.version, notice.size_bytes) == ("in", key, version, size_bytes)


@pytest.mark.parametrize(
    ("key", "written"),
    [("a@b", "a%40b"), ("u/x/red flower.jpg", "u/x/red+flower.jpg"), ("a+b", "a%2Bb"), ("ü", "%C3%BC")],
)
def test_built_notification_encodes_keys_as_s3_does(key: str, written: str) -> None:
    """The key is form-urlencoded, its slashes are not."""
    info = ObjectInfo(key=key, version="v", size_bytes=1)

    body = json.loads(notification_event(info, bucket="in")["Records"][0]["body"])

    assert body["Records"][0]["s3"]["object"]["key"] == written


@given(first=st.integers(0, 2**42), second=st.integers(0, 2**42))
def test_built_sequencers_follow_time(first: int, second: int) -> None:
    """Of two objects the later one has the greater sequencer."""
    infos = [ObjectInfo(key="k", version="v", size_bytes=1, modified_at_ms=at_ms) for at_ms in (first, second)]

    sequencers = [_only_upload(notification_event(info, bucket="in")).sequencer for info in infos]

    assert (sequencers[0] < sequencers[1]) == (first < second)


@given(body=st.text())
def test_any_text_is_read_or_rejected(body: str) -> None:
    """No text makes the parser fail in another way."""
    with suppress(UploadRejectedError):
        parse(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ("Records", "s3", "bucket", "object", "key", "size", "eTag", "versionId", "sequencer", "eventName", "name")


@given(spoiled=st.sampled_from(_FIELDS), value=_JSON)
def test_any_value_in_a_field_is_read_or_rejected(spoiled: str, value: Any) -> None:
    """Whatever stands in a field, the message is read or rejected."""
    body = json.dumps(_replace({"Records": [s3_record(versionId="v1")]}, spoiled, value))

    try:
        notices = parse(body)
    except UploadRejectedError:
        notices = []

    assert all(isinstance(notice, Upload | Deletion | Ignored) for notice in notices)


# The recorded payloads have placeholders for what varies; keys, sizes, versions and eTags are real.
RECORDED_NOTICES: dict[str, list[tuple[Any, ...]]] = {
    "eventbridge-recorded/object-created.json": [("<key-name:1>", "etag:8d777f385d3dfec8815d20f7496026dc", 4)],
    "eventbridge-recorded/object-deleted.json": [(Deleted.KEY, "<key-name:1>", "")],
    "lambda-go/s3-event-with-decoded.json": [("Happy Face.jpg", "version", 1024)],
    "lambda-go/s3-event.json": [("Happy Face.jpg", "version", 1024)],
    "lambda-go/s3-glacier-event.json": [("ObjectRestore:Completed",)],
    "lambda-go/s3-intelligenttier-event.json": [("IntelligentTiering:TransitionAccess",)],
    "lambda-go/s3-lifecycle-event.json": [("LifecycleTransition",)],
    "lambda-go/s3-replication-event.json": [("Replication:OperationFailedReplication",)],
    "s3-recorded/acl-put.json": [("ObjectAcl:Put",)] * 3,
    "s3-recorded/complete-multipart-upload.json": [("test-key", "etag:8eabe9d6b43316e840b079170916c079-1", 6144)],
    "s3-recorded/copy.json": [("<object-key:1>", "etag:437b930db84b8079c2dd804a71936b5f", 9)],
    "s3-recorded/created-and-removed.json": [
        ("<object-key:1>", "etag:437b930db84b8079c2dd804a71936b5f", 9),
        ("<object-key:2>", "etag:437b930db84b8079c2dd804a71936b5f", 9),
        (Deleted.KEY, "<object-key:2>", ""),
    ],
    "s3-recorded/delete-objects.json": [(Deleted.KEY, f"<object-key:{number}>", "") for number in (1, 2, 3)],
    "s3-recorded/key-encoding.json": [("a@b", "etag:437b930db84b8079c2dd804a71936b5f", 9)],
    "s3-recorded/presigned-put.json": [("key-by-hostname", "etag:437b930db84b8079c2dd804a71936b5f", 9)],
    "s3-recorded/put.json": [
        ("my_key_0", "etag:437b930db84b8079c2dd804a71936b5f", 9),
        ("my_key_1", "etag:6c7ba9c5a141421e1c03cb9807c97c74", 14),
    ],
    "s3-recorded/tagging-put.json": [("ObjectTagging:Put",)],
    "s3-recorded/versioned-active.json": [
        ("test-key", "version-id", 13),
        ("test-key", "version-id", 4),
        (Deleted.VERSION, "test-key", "version-id"),
        (Deleted.KEY, "test-key", "version-id"),
    ],
    "s3-recorded/versioned-suspended.json": [
        ("test-key", "etag:2fb1d4988881168bbcd6432d7593be5a", 13),
        (Deleted.VERSION, "test-key", "version-id"),
    ],
    "s3-recorded/sns-envelope.json": [("bucket-key", "etag:c8e3a3027a133355210f85cfbb1acc35", 11)],
    "s3-recorded/sqs-message-with-xray.json": [("test-data", "etag:437b930db84b8079c2dd804a71936b5f", 9)],
}


def test_recorded_payloads_are_read() -> None:
    """Every payload that was recorded on AWS, or published by it, gives the notices that it should."""
    if not RECORDED.is_dir():
        pytest.skip("the recorded payloads are not here")
    paths = {str(path.relative_to(RECORDED)): path for path in RECORDED.rglob("*.json")}

    read = {name: [_facts(n) for n in _parse_recorded(path)] for name, path in paths.items() if name not in OTHERS}

    assert read == RECORDED_NOTICES


# Not a message as it stands: a list of two events; a batch and a topic's message whose text is no event.
OTHERS = {"eventbridge-recorded/versioned-active.json", "lambda-go/sqs-event.json", "lambda-go/sns-event.json"}


def test_other_recorded_payloads_are_read() -> None:
    """A list of EventBridge events is read one by one; plain texts in SQS and SNS are messages, and are rejected."""
    if not RECORDED.is_dir():
        pytest.skip("the recorded payloads are not here")
    events, batch, topic = (json.loads((RECORDED / name).read_text()) for name in sorted(OTHERS))

    facts = [_facts(notice) for event in events for notice in parse(json.dumps(event))]
    [queued], [published] = messages_of(topic), messages_of(batch)

    assert facts == [
        ("<key-name:1>", "etag:2fb1d4988881168bbcd6432d7593be5a", 13),
        (Deleted.VERSION, "<key-name:1>", "<version-id:3>"),
    ]
    assert (queued.message_id, queued.receipt, queued.receive_count) == ("MessageID_1", "MessageReceiptHandle", 2)
    for message in (queued, published):
        with pytest.raises(UploadRejectedError, match="no JSON"):
            parse(message.body)


def _parse_recorded(path: Path) -> list[Notice]:
    payload = json.loads(path.read_text())
    for field in ("Body", "Message"):
        if field in payload:  # the recording holds as JSON what is text on the wire
            inner = json.dumps(payload[field])
            return parse(inner if field == "Body" else json.dumps(payload | {field: inner}))
    [message] = messages_of(payload)
    return parse(message.body)


def _facts(notice: Notice) -> tuple[Any, ...]:
    match notice:
        case Upload():
            return notice.key, notice.version, notice.size_bytes
        case Deletion():
            return notice.deleted, notice.key, notice.version
        case Ignored():
            return (notice.reason.partition(" ")[0],)


def _only_upload(event: dict[str, Any]) -> Upload:
    [message] = messages_of(event)
    [notice] = parse(message.body)
    assert isinstance(notice, Upload)
    assert unquote_plus(json.loads(message.body)["Records"][0]["s3"]["object"]["key"]) == notice.key
    return notice


def _replace(value: Any, field: str, new: Any) -> Any:
    match value:
        case dict():
            return {k: new if k == field else _replace(v, field, new) for k, v in value.items()}
        case list():
            return [_replace(v, field, new) for v in value]
    return value
