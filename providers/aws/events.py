"""What the messages of AWS mean: events of a bucket, on whatever way they came, and our own work items.

Sources: "Event message structure" and "EventBridge event message structure" (S3 User Guide), "Using AWS Lambda with
Amazon SQS" (Lambda Developer Guide), "Amazon SNS message and JSON formats" (SNS Developer Guide).
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from core.errors import UploadRejectedError
from core.ports import Message, ObjectInfo
from core.upload import Deleted, Deletion, Ignored, Notice, Upload, is_folder_marker, upload_id_of
from core.work_item import from_payload, is_work_item
from providers.aws.versions import etag_of, is_version_id, version_of

_CLOUD = "aws"
_KEY_MAX_BYTES = 1024

# Sequencers are hexadecimal numbers of different lengths: "right-pad the shorter value with zeros, then compare as
# text". The ones seen have 16 or 18 digits.
_SEQUENCER_CHARS = 32

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def messages_of(event: Any) -> list[Message]:
    """What Lambda hands to the function: the messages of an SQS batch, or any other event as one message.

    A message that came without a queue (`sls invoke`, SNS, EventBridge) has no receipt.

    Raises:
        UploadRejectedError: An SQS record lacks messageId, receiptHandle or body; a queue's own records have them.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if isinstance(records, list) and records and all(_text(r, "eventSource") == "aws:sqs" for r in records):
        return [_message(record) for record in records]
    body = json.dumps(event, sort_keys=True)
    name = hashlib.sha256(body.encode()).hexdigest()[:32]
    return [Message(message_id=f"direct-{name}", body=body, receipt="", receive_count=1)]


def _message(record: dict[str, Any]) -> Message:
    # What Lambda sends has all of it; a person who writes an event for `sls invoke local` may leave the count out.
    receive_count = _text(record.get("attributes"), "ApproximateReceiveCount") or "1"
    return Message(
        message_id=_required_text(record, "messageId"),
        body=_required_text(record, "body"),
        receipt=_required_text(record, "receiptHandle"),
        receive_count=int(receive_count) if receive_count.isdecimal() else 1,
    )


def parse(body: str) -> list[Notice]:
    """Read a message's body: a notification of S3, an event of EventBridge, either of them inside SNS, or a work item.

    Raises:
        UploadRejectedError: It is none of them, or a field is missing or makes no sense. One bad record rejects the
            message, so that it is kept as it came.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UploadRejectedError("the message is no JSON") from error
    if not isinstance(payload, dict):
        raise UploadRejectedError("the message is no JSON object")
    if is_work_item(payload):
        return [from_payload(payload)]
    if payload.get("Event") == "s3:TestEvent":
        return [Ignored(reason="s3:TestEvent: S3 tried the queue")]
    if payload.get("Type") == "Notification":
        return parse(_required_text(payload, "Message"))
    if "detail-type" in payload:
        return [_from_eventbridge(payload)]
    records = payload.get("Records")
    if not isinstance(records, list) or not records:
        raise UploadRejectedError("the message has no Records, and is no other event that is known")
    return [notice for record in records for notice in _from_record(record)]


def _from_record(record: Any) -> Iterator[Notice]:
    if _text(record, "EventSource") == "aws:sns":
        yield from parse(_required_text(_required(record, "Sns"), "Message"))
        return
    source = _required_text(record, "eventSource")
    if source != "aws:s3":
        raise UploadRejectedError("eventSource is not aws:s3")
    _require_major(_required_text(record, "eventVersion"), "2", "eventVersion")
    name = _required_text(record, "eventName").removeprefix("s3:")
    kind, _, detail = name.partition(":")
    s3 = _required(record, "s3")
    thing = _required(s3, "object")
    match kind, detail:
        case "ObjectCreated", _:
            yield _uploaded(s3, thing, _decoded(_required_text(thing, "key")), "versionId", "eTag")
        case "ObjectRemoved" | "LifecycleExpiration", "Delete" | "DeleteMarkerCreated":
            key = _decoded(_required_text(thing, "key"))
            yield _deleted(s3, thing, key, "versionId", is_marker=detail == "DeleteMarkerCreated")
        case _:
            yield Ignored(reason=f"{name} is no upload and no deletion")


def _from_eventbridge(event: dict[str, Any]) -> Notice:
    if event.get("source") != "aws.s3":
        raise UploadRejectedError("source is not aws.s3")
    name, detail = _required_text(event, "detail-type"), _required(event, "detail")
    _require_major(_text(detail, "event-version") or "1", "1", "detail.event-version")
    match name, _text(detail, "deletion-type"):
        case "Object Created", _:
            thing = _required(detail, "object")
            return _uploaded(detail, thing, _required_text(thing, "key"), "version-id", "etag")
        case "Object Deleted", "Permanently Deleted" | "Delete Marker Created" as kind:
            thing = _required(detail, "object")
            is_marker = kind == "Delete Marker Created"
            return _deleted(detail, thing, _required_text(thing, "key"), "version-id", is_marker=is_marker)
        case "Object Deleted", _:
            raise UploadRejectedError("detail.deletion-type is missing or unknown")
    return Ignored(reason=f"{name} is no upload and no deletion")


def _uploaded(where: Any, thing: Any, key: str, version_field: str, etag_field: str) -> Notice:
    bucket, key, size_bytes = _bucket(where), _checked(key), _size_bytes(thing)
    if is_folder_marker(key, size_bytes=size_bytes):
        return Ignored(reason="a folder's marker")
    version_id = _version_id(thing, version_field)
    version = version_of(version_id=version_id, etag="" if version_id else _required_text(thing, etag_field))
    return Upload(
        upload_id=upload_id_of(cloud=_CLOUD, bucket=bucket, key=key, version=version),
        cloud=_CLOUD,
        bucket=bucket,
        key=key,
        version=version,
        size_bytes=size_bytes,
        sequencer=_sequencer(thing),
    )


def _deleted(where: Any, thing: Any, key: str, version_field: str, *, is_marker: bool) -> Deletion:
    version = _version_id(thing, version_field)
    return Deletion(
        deleted=Deleted.VERSION if version and not is_marker else Deleted.KEY,
        cloud=_CLOUD,
        bucket=_bucket(where),
        key=_checked(key),
        version=version,
        sequencer=_sequencer(thing),
    )


def _bucket(where: Any) -> str:
    return _required_text(_required(where, "bucket"), "name")


def _decoded(key: str) -> str:
    """A key as S3 notifications have it: form-urlencoded, so that `+` is a blank. EventBridge does not encode keys."""
    if _BROKEN_ESCAPE.search(key):
        raise UploadRejectedError("object.key has a broken percent escape")
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise UploadRejectedError("object.key is no UTF-8") from error


def _checked(key: str) -> str:
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise UploadRejectedError("object.key is no UTF-8") from error
    if size_bytes > _KEY_MAX_BYTES:
        raise UploadRejectedError(f"object.key has {size_bytes} bytes; S3 allows {_KEY_MAX_BYTES}")
    return key


def _size_bytes(thing: Any) -> int | None:
    size_bytes = thing.get("size")
    if size_bytes is not None and (type(size_bytes) is not int or size_bytes < 0):
        raise UploadRejectedError("object.size is no whole number")
    return size_bytes


def _sequencer(thing: Any) -> str:
    # Upper case in notifications, lower case in EventBridge.
    return _text(thing, "sequencer").upper().ljust(_SEQUENCER_CHARS, "0") if _text(thing, "sequencer") else ""


def _version_id(thing: Any, field: str) -> str:
    """The versionId, or "" where the bucket keeps no versions."""
    found = thing.get(field)
    return _required_text(thing, field) if is_version_id(found) else ""


def _require_major(version: str, major: str, field: str) -> None:
    # "Check for equality of the major version"; a higher minor one only adds fields.
    if version.partition(".")[0] != major:
        raise UploadRejectedError(f"{field} is not {major}.x")


def _required(thing: Any, field: str) -> dict[str, Any]:
    found = thing.get(field) if isinstance(thing, dict) else None
    if not isinstance(found, dict):
        raise UploadRejectedError(f"{field} is missing or no JSON object")
    return found


def _required_text(thing: Any, field: str) -> str:
    found = _text(thing, field)
    if not found:
        raise UploadRejectedError(f"{field} is missing or no text")
    return found


def _text(thing: Any, field: str) -> str:
    found = thing.get(field) if isinstance(thing, dict) else None
    return found if isinstance(found, str) else ""


def notification_event(info: ObjectInfo, *, bucket: str) -> dict[str, Any]:
    """The event with which Lambda would call the function for this object: an SQS batch of one S3 notification.

    It has the fields that S3 sends, without those that say who put the object. The sequencer is the object's time, with
    which S3's own begin as well.
    """
    at_s, at_ms = divmod(info.modified_at_ms, 1000)
    thing: dict[str, Any] = {"key": quote_plus(info.key, safe="/"), "size": info.size_bytes}
    etag = etag_of(info.version)
    thing |= {"eTag": etag} if etag else {"versionId": info.version}
    thing["sequencer"] = f"{at_s:010X}{at_ms:06X}"
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": datetime.fromtimestamp(info.modified_at_ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6]
        + "Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": thing,
        },
    }
    body = json.dumps({"Records": [record]})
    name = hashlib.sha256(body.encode()).hexdigest()[:32]
    return delivery_event([Message(message_id=name, body=body, receipt=name, receive_count=1)])


def delivery_event(messages: Sequence[Message]) -> dict[str, Any]:
    """The event with which Lambda calls the function for messages of the work queue."""
    return {
        "Records": [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.receive_count)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for message in messages
        ]
    }
