"""Your own processing of an upload goes here. Everything else in Sluice exists so that this function may be simple.

What `handle_upload` may rely on:

- It is called for every upload, and may be called again for the same one (after a crash, or a takeover by another
  cloud), even at the same time. Make effects of its own idempotent, with `upload.upload_id` as the key.
- `stream` is read once, from the start; there is no seek. Read as much or as little as you like: size and sha256 of
  the whole are taken anyway. Memory stays small as long as you do not `read()` it all.
- What it returns is recorded with the upload: a dict that JSON can hold, up to 32,000 bytes. `content_type` in it
  becomes the record's content type. None means that there is nothing to add.
- When it raises, the upload is tried again, a set number of times, and then parked with the error as the reason.
  `raise UploadRejectedError("why")` parks it at once, because another try would not help.
- When the function's time is nearly up, the next read raises; let that pass. Code that hangs without reading is
  stopped with the function, and the upload is tried again.
- Objects that you write back into the same bucket start the function again. Give them the metadata
  `sluice-derived-from: <upload_id>` (on Azure `sluicederivedfrom`, which allows no hyphens), and they are recorded
  without a call of this function.
"""

import re
from typing import Any, BinaryIO

from core.upload import Upload

_HEAD_BYTES = 8 * 1024
_REGISTERED = {"application/x-gzip": "application/gzip"}  # RFC 6713
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


def handle_upload(upload: Upload, stream: BinaryIO) -> dict[str, Any]:
    """Find out the content type from the first bytes, and from the name where the bytes leave it open."""
    return {"content_type": sniff(stream.read(_HEAD_BYTES), key=upload.key)}


def sniff(head: bytes, *, key: str) -> str:
    """The content type of a file that starts with `head`. The suffix of the key decides what they leave open."""
    if not head:
        return "application/x-empty"
    import puremagic  # here, because a cold start that handles nothing should not pay for it

    suffix = _SUFFIX.search(key)
    try:
        matches = puremagic.magic_string(head, filename="x" + suffix[0].lower() if suffix else None)
    except puremagic.PureError:
        matches = []
    if not matches:
        return "text/plain" if _is_text(head) else "application/octet-stream"
    sure = [match for match in matches if match.confidence == matches[0].confidence]
    # Office files are zip files; where nothing tells them apart, say only what is certain.
    zipped = next((match for match in sure if match.extension == ".zip"), None)
    content_type = str((zipped or sure[0]).mime_type or "application/octet-stream")
    return _REGISTERED.get(content_type, content_type)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        # The head may end inside a character.
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode()
    return all(char.isprintable() or char in "\t\n\r\f" for char in text)
