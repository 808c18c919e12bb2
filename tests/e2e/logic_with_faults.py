"""Stands in for handlers/logic.py in the tests' functions: fails in the way that an upload's key asks for.

Each call leaves a line in $FAULTS_FOLDER/calls, so that tests see what was called.
"""

import os
import time
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import UploadRejectedError
from core.upload import Upload

FOLDER = Path(os.environ["FAULTS_FOLDER"])


def handle_upload(upload: Upload, stream: BinaryIO) -> dict[str, Any]:
    """Misbehave as told by the key's first part, else tell the first bytes."""
    with (FOLDER / "calls").open("a") as calls:
        calls.write(f"{upload.upload_id}\n")
    match upload.key.partition("/")[0]:
        case "poison":
            raise ValueError("this upload cannot be handled")
        case "rejected":
            raise UploadRejectedError("nobody wants this upload")
        case "crash-once" if _is_first(upload):
            os._exit(1)
        case "hang-once" if _is_first(upload):
            time.sleep(3600)
    return {"content_type": "text/x-test", "head": stream.read(4).hex()}


def _is_first(upload: Upload) -> bool:
    try:
        (FOLDER / upload.upload_id).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
