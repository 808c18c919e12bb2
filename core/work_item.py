"""The wire format of a work item: an upload as our own code puts it into a queue, of this cloud or of another.

{"sluice": 1, "upload": {"upload_id", "cloud", "bucket", "key", "version", "sequencer",
                          "size_bytes" (if known), "url" (if handed over)}}
"""

import json
from typing import Any

from core.errors import UploadRejectedError
from core.upload import Upload

WIRE_VERSION = 1

_TEXT_FIELDS = ("upload_id", "cloud", "bucket", "key", "version", "sequencer")


def to_text(upload: Upload) -> str:
    fields: dict[str, str | int] = {name: getattr(upload, name) for name in _TEXT_FIELDS}
    if upload.size_bytes is not None:
        fields["size_bytes"] = upload.size_bytes
    if upload.url:
        fields["url"] = upload.url
    return json.dumps({"sluice": WIRE_VERSION, "upload": fields}, separators=(",", ":"))


def is_work_item(payload: object) -> bool:
    return isinstance(payload, dict) and "sluice" in payload


def from_payload(payload: dict[str, Any]) -> Upload:
    """Read a decoded work item of this or an earlier format. Fields that it does not know are left out.

    Raises:
        UploadRejectedError: Of a later format, or with a field missing or of the wrong type.
    """
    if payload["sluice"] != WIRE_VERSION:
        raise UploadRejectedError(
            f"a work item of format {payload['sluice']!r}; this version of Sluice reads {WIRE_VERSION}"
        )
    fields = payload.get("upload")
    if not isinstance(fields, dict):
        raise UploadRejectedError("a work item without its upload")
    for name in _TEXT_FIELDS:
        if not isinstance(fields.get(name), str):
            raise UploadRejectedError(f"a work item whose upload.{name} is missing or no text")
    size_bytes = fields.get("size_bytes")
    if size_bytes is not None and (type(size_bytes) is not int or size_bytes < 0):
        raise UploadRejectedError("a work item whose upload.size_bytes is no whole number")
    url = fields.get("url", "")
    if not isinstance(url, str):
        raise UploadRejectedError("a work item whose upload.url is no text")
    return Upload(size_bytes=size_bytes, url=url, **{name: fields[name] for name in _TEXT_FIELDS})
