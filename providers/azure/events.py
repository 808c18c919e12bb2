"""What the messages of Azure mean: events of a container, in both schemas of Event Grid, and our own work items.

Sources: "Azure Blob Storage as Event Grid source", "Event Grid event schema", "CloudEvents v1.0 schema", "Event Grid
message delivery and retry" (its dead letters), "Endpoint validation" (Event Grid documentation).
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from core.errors import UploadRejectedError
from core.ports import Message, ObjectInfo
from core.upload import Deleted, Deletion, Ignored, Notice, Upload, is_folder_marker, upload_id_of
from core.work_item import from_payload, is_work_item
from providers.azure.message_text import decode
from providers.azure.versions import is_version, version_of

_CLOUD = "azure"
_KEY_MAX_BYTES = 4096  # 1,024 characters ("Naming and referencing containers, blobs, and metadata")

# Hexadecimal numbers of 31 to 48 digits in the samples. "Use standard string comparison"; the left padding keeps that
# order for numbers of different lengths.
_SEQUENCER_CHARS = 64

_CREATED = "Microsoft.Storage.BlobCreated"
_DELETED = "Microsoft.Storage.BlobDeleted"
_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_SUBJECT = "/blobServices/default/containers/"

# Raised when a file is opened for writing, empty; FlushWithClose and SftpCommit follow when it is whole.
_PLACEHOLDERS = {"CreateFile", "SftpCreate"}


def parse(text: str) -> list[Notice]:
    """Read a message: one event or a list of events, in either schema, plain or in base64; or a work item.

    Raises:
        UploadRejectedError: It is none of them, or a field is missing or makes no sense. One bad event rejects the
            message, so that it is kept as it came.
    """
    try:
        payload = json.loads(decode(text))
    except (ValueError, RecursionError) as error:
        raise UploadRejectedError("the message is no JSON, neither plain nor in base64") from error
    if is_work_item(payload):
        return [from_payload(payload)]
    events = payload if isinstance(payload, list) else [payload]
    if not events:
        raise UploadRejectedError("the message is an empty list of events")
    return [_from_event(event) for event in events]


def _from_event(event: Any) -> Notice:
    if not isinstance(event, dict):
        raise UploadRejectedError("an event is no JSON object")
    # The published samples of CloudEvents have `specVersion` as well.
    is_cloud_event = "specversion" in event or "specVersion" in event
    kind = _required_text(event, "type" if is_cloud_event else "eventType")
    if kind == _VALIDATION:
        return Ignored(reason="a subscription's validation; only a webhook can answer it")
    if kind not in (_CREATED, _DELETED):
        return Ignored(reason=f"{kind[:100]} is no upload and no deletion")
    data = event.get("data")
    if not isinstance(data, dict):
        raise UploadRejectedError("data is missing or no JSON object")
    bucket, key = _place(event, data)
    if kind == _DELETED:
        sequencer = _sequencer(data)
        return Deletion(deleted=Deleted.KEY, cloud=_CLOUD, bucket=bucket, key=key, version="", sequencer=sequencer)
    api = _text(data, "api")
    if api in _PLACEHOLDERS:
        return Ignored(reason=f"{api}: the file is still being written")
    size_bytes = None if api == "SftpCommit" else _size_bytes(data)
    if is_folder_marker(key, size_bytes=size_bytes):
        return Ignored(reason="a folder's marker")
    version = version_of(_required_text(data, "eTag"))
    if not is_version(version):
        raise UploadRejectedError("data.eTag is no eTag of Azure Storage")
    return Upload(
        upload_id=upload_id_of(cloud=_CLOUD, bucket=bucket, key=key, version=version),
        cloud=_CLOUD,
        bucket=bucket,
        key=key,
        version=version,
        size_bytes=size_bytes,
        sequencer=_sequencer(data),
    )


def _place(event: dict[str, Any], data: dict[str, Any]) -> tuple[str, str]:
    """Container and key. The subject is not encoded; where it is not of the known form, the URL tells, decoded once."""
    subject = _text(event, "subject")
    if subject.startswith(_SUBJECT):
        bucket, separator, key = subject.removeprefix(_SUBJECT).partition("/blobs/")
    else:
        path = urlsplit(_required_text(data, "url")).path
        bucket, separator, key = path.removeprefix("/").partition("/")
        try:
            key = unquote(key, errors="strict")
        except UnicodeDecodeError as error:
            raise UploadRejectedError("data.url is no UTF-8") from error
    if not (bucket and separator and key):
        raise UploadRejectedError("neither subject nor data.url names a container and a blob")
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise UploadRejectedError("the blob's name is no UTF-8") from error
    if size_bytes > _KEY_MAX_BYTES:
        raise UploadRejectedError(f"the blob's name has {size_bytes} bytes; Azure allows {_KEY_MAX_BYTES}")
    return bucket, key


def _size_bytes(data: dict[str, Any]) -> int | None:
    size_bytes = data.get("contentLength")
    if size_bytes is not None and (type(size_bytes) is not int or size_bytes < 0):
        raise UploadRejectedError("data.contentLength is no whole number")
    return size_bytes


def _sequencer(data: dict[str, Any]) -> str:
    sequencer = _text(data, "sequencer")
    return sequencer.upper().rjust(_SEQUENCER_CHARS, "0") if sequencer else ""


def _required_text(thing: dict[str, Any], field: str) -> str:
    found = _text(thing, field)
    if not found:
        raise UploadRejectedError(f"{field} is missing or no text")
    return found


def _text(thing: dict[str, Any], field: str) -> str:
    found = thing.get(field)
    return found if isinstance(found, str) else ""


def notification_event(info: ObjectInfo, *, bucket: str) -> dict[str, Any]:
    """The message with which Azure Functions would call the function for this blob: one event of Event Grid.

    It has the fields that Event Grid sends, without those that say who put the blob. The sequencer is the blob's time.
    """
    event = {
        "topic": "/subscriptions/local/resourceGroups/local/providers/Microsoft.Storage/storageAccounts/local",
        "subject": f"{_SUBJECT}{bucket}/blobs/{info.key}",
        "eventType": _CREATED,
        "id": hashlib.sha256(f"{bucket}\0{info.key}\0{info.version}".encode()).hexdigest()[:32],
        "eventTime": datetime.fromtimestamp(info.modified_at_ms / 1000, UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "api": "PutBlob",
            "eTag": info.version,
            "contentLength": info.size_bytes,
            "blobType": "BlockBlob",
            "url": f"https://local.blob.core.windows.net/{bucket}/{quote(info.key)}",
            "sequencer": f"{info.modified_at_ms:048x}",
        },
        "dataVersion": "",
        "metadataVersion": "1",
    }
    body = json.dumps(event)
    name = hashlib.sha256(body.encode()).hexdigest()[:32]
    return delivery_event([Message(message_id=name, body=body, receipt=name, receive_count=1)])


def delivery_event(messages: Sequence[Message]) -> dict[str, Any]:
    """Messages of the work queue, as `handlers.azure.process` takes them; Azure itself gives one at a time."""
    return {
        "messages": [
            {"id": m.message_id, "popReceipt": m.receipt, "dequeueCount": m.receive_count, "body": m.body}
            for m in messages
        ]
    }


def messages_of(event: Any) -> list[Message]:
    """The messages of a delivery as `delivery_event` writes it; or any other event, as one without a receipt."""
    found = event.get("messages") if isinstance(event, dict) else None
    if isinstance(found, list):
        return [
            Message(message_id=m["id"], body=m["body"], receipt=m["popReceipt"], receive_count=m["dequeueCount"])
            for m in found
        ]
    body = json.dumps(event, sort_keys=True)
    name = hashlib.sha256(body.encode()).hexdigest()[:32]
    return [Message(message_id=f"direct-{name}", body=body, receipt="", receive_count=1)]
