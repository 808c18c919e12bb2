"""What the messages of Google Cloud mean: events of a bucket, on whatever way they came, and our own work items.

Sources: "Pub/Sub notifications for Cloud Storage" (Cloud Storage documentation), StorageObjectData and
MessagePublishedData (googleapis/google-cloudevents), "CloudEvents - JSON event format".
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from core.errors import UploadRejectedError
from core.ports import Message, ObjectInfo
from core.upload import Deleted, Deletion, Ignored, Notice, Upload, is_folder_marker, upload_id_of
from core.work_item import from_payload, is_work_item
from providers.gcp.messages import messages_of, to_pull
from providers.gcp.versions import sequencer_of

__all__ = ["delivery_event", "messages_of", "notification_event", "parse"]

_CLOUD = "gcp"
_KEY_MAX_BYTES = 1024
_DEPTH_MAX = 5  # a notification in a message in a CloudEvent, and room for a redrive

_NUMBER = re.compile(r"[0-9]{1,19}")

_STORAGE_EVENT = re.compile(r"google\.(?:cloud\.)?storage\.object\.(?:v1\.)?(\w+)")
_PUBSUB_TYPES = {"google.cloud.pubsub.topic.v1.messagePublished", "google.pubsub.topic.publish"}
_KIND_OF = {
    "OBJECT_FINALIZE": "finalized",
    "OBJECT_DELETE": "deleted",
    "OBJECT_ARCHIVE": "archived",
    "OBJECT_METADATA_UPDATE": "metadataUpdated",
    "finalize": "finalized",
    "delete": "deleted",
    "archive": "archived",
    "metadataUpdate": "metadataUpdated",
}


def parse(body: str) -> list[Notice]:
    """Read a message's body: a CloudEvent, a notification in a message of Pub/Sub, a background event, or a work item.

    Raises:
        UploadRejectedError: It is none of them, or a field is missing or makes no sense.
    """
    return [_parse(body, depth=0)]


def _parse(body: str, *, depth: int) -> Notice:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UploadRejectedError("the message is no JSON") from error
    if not isinstance(payload, dict):
        raise UploadRejectedError("the message is no JSON object")
    return _from_payload(payload, depth=depth)


def _from_payload(payload: dict[str, Any], *, depth: int) -> Notice:
    if depth > _DEPTH_MAX:
        raise UploadRejectedError("the message holds messages in messages")
    if is_work_item(payload):
        return from_payload(payload)
    if isinstance(payload.get("message"), dict):
        return _from_message(payload["message"], depth=depth)
    if "specversion" in payload:
        return _from_typed(_required_text(payload, "type"), payload, depth=depth)
    if "context" in payload or "eventType" in payload:
        context = payload["context"] if isinstance(payload.get("context"), dict) else payload
        return _from_typed(_required_text(context, "eventType"), payload, depth=depth)
    if "protoPayload" in payload:
        return Ignored(reason="an entry of the audit log")
    raise UploadRejectedError("type is missing: the message is no event that is known")


def _from_typed(kind: str, event: Mapping[str, Any], *, depth: int) -> Notice:
    """A CloudEvent, or its predecessor, the background event."""
    if kind in _PUBSUB_TYPES:
        data = _required(event, "data")
        return _from_message(_required(data, "message") if "message" in data else data, depth=depth)
    found = _STORAGE_EVENT.fullmatch(kind)
    if not found:
        return Ignored(reason=f"{kind} is no event of an object")
    return _from_object(found[1], _data(event), bucket="", key="", generation=None)


def _data(event: Mapping[str, Any]) -> dict[str, Any]:
    if "data_base64" in event:
        return _json(_decoded(event["data_base64"], "data_base64"), "data_base64")
    return _required(event, "data")


# A notification says twice what happened: in attributes, always, and in its payload, unless that is switched off.
def _from_message(message: Mapping[str, Any], *, depth: int) -> Notice:
    attributes = message.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise UploadRejectedError("message.attributes is no JSON object")
    if "eventType" not in attributes or "bucketId" not in attributes:
        return _parse(_decoded(message.get("data"), "message.data"), depth=depth + 1)
    stored: dict[str, Any] = {}
    if attributes.get("payloadFormat") != "NONE" and message.get("data"):
        stored = _json(_decoded(message["data"], "message.data"), "message.data")
    kind = _required_text(attributes, "eventType")
    if kind == "OBJECT_ARCHIVE" and "overwrittenByGeneration" in attributes:
        return Ignored(reason="an older version was kept; the new one has its own event")
    return _from_object(
        kind,
        stored,
        bucket=_required_text(attributes, "bucketId"),
        key=_required_text(attributes, "objectId"),
        generation=attributes.get("objectGeneration"),
    )


def _from_object(kind: str, stored: Mapping[str, Any], *, bucket: str, key: str, generation: Any) -> Notice:
    kind = _KIND_OF.get(kind, kind)
    if kind not in ("finalized", "deleted", "archived"):
        return Ignored(reason=f"{kind} is no upload and no deletion")
    bucket = bucket or _required_text(stored, "bucket")
    key = _checked(key or _required_text(stored, "name"))
    version = _number(stored.get("generation") if generation is None else generation, "generation")
    match kind:
        case "finalized":
            return _uploaded(stored, bucket=bucket, key=key, version=version)
        case "deleted":
            # The one version is gone, whether or not the key now has another.
            return _deletion(Deleted.VERSION, bucket=bucket, key=key, version=version, sequencer=sequencer_of(version))
        case _:
            # After the version that was the last, and before any that may come: "…57" < "…57.1" < "…58".
            sequencer = f"{sequencer_of(version)}.1"
            return _deletion(Deleted.KEY, bucket=bucket, key=key, version="", sequencer=sequencer)


def _uploaded(stored: Mapping[str, Any], *, bucket: str, key: str, version: str) -> Notice:
    size_bytes = int(_number(stored["size"], "size")) if "size" in stored else None
    if is_folder_marker(key, size_bytes=size_bytes):
        return Ignored(reason="a folder's marker")
    return Upload(
        upload_id=upload_id_of(cloud=_CLOUD, bucket=bucket, key=key, version=version),
        cloud=_CLOUD,
        bucket=bucket,
        key=key,
        version=version,
        size_bytes=size_bytes,
        sequencer=sequencer_of(version),
    )


def _deletion(deleted: Deleted, *, bucket: str, key: str, version: str, sequencer: str) -> Deletion:
    return Deletion(deleted=deleted, cloud=_CLOUD, bucket=bucket, key=key, version=version, sequencer=sequencer)


def _checked(key: str) -> str:
    """A key, which Google never encodes."""
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise UploadRejectedError("name is no UTF-8") from error
    if size_bytes > _KEY_MAX_BYTES:
        raise UploadRejectedError(f"name has {size_bytes} bytes; Cloud Storage allows {_KEY_MAX_BYTES}")
    return key


def _number(found: Any, field: str) -> str:
    """A whole number, which Google writes as text or as a number, as text without leading zeros."""
    text = str(found) if type(found) is int else found
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise UploadRejectedError(f"{field} is missing or no whole number")
    return str(int(text))


def _decoded(found: Any, field: str) -> str:
    if not isinstance(found, str):
        raise UploadRejectedError(f"{field} is missing or no text")
    try:
        return base64.b64decode(found, validate=True).decode()
    except ValueError as error:
        raise UploadRejectedError(f"{field} is no text in base64") from error


def _json(text: str, field: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UploadRejectedError(f"{field} is no JSON") from error
    if not isinstance(found, dict):
        raise UploadRejectedError(f"{field} is no JSON object")
    return found


def _required(thing: Mapping[str, Any], field: str) -> dict[str, Any]:
    found = thing.get(field)
    if not isinstance(found, dict):
        raise UploadRejectedError(f"{field} is missing or no JSON object")
    return found


def _required_text(thing: Mapping[str, Any], field: str) -> str:
    found = thing.get(field)
    if not isinstance(found, str) or not found:
        raise UploadRejectedError(f"{field} is missing or no text")
    return found


def notification_event(info: ObjectInfo, *, bucket: str) -> dict[str, Any]:
    """What Pub/Sub would push to the function for this object: a notification with its attributes and its payload."""
    at = f"{datetime.fromtimestamp(info.modified_at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    stored = {
        "kind": "storage#object",
        "id": f"{bucket}/{info.key}/{info.version}",
        "name": info.key,
        "bucket": bucket,
        "generation": info.version,
        "metageneration": "1",
        "size": str(info.size_bytes),
        "timeCreated": at,
    }
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": bucket,
        "objectId": info.key,
        "objectGeneration": info.version,
        "eventTime": at,
    }
    content = json.dumps(stored, ensure_ascii=False).encode()
    message = {
        "data": base64.b64encode(content).decode(),
        "attributes": attributes,
        "messageId": str(int(hashlib.sha256(content).hexdigest()[:12], 16)),
        "publishTime": at,
    }
    return {"message": message, "subscription": "projects/local/subscriptions/work"}


def delivery_event(messages: Sequence[Message]) -> dict[str, Any]:
    """Messages of the work queue as a pull gives them."""
    return to_pull(messages)
