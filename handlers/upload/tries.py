"""Uploads files: tries cloud after cloud, under one idempotency key for each file, until one gives a receipt."""

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from handlers.upload.api import Api, CloudFailedError, TooLargeError, UploadRefusedError
from handlers.upload.clouds import CloudOrder, CloudState
from handlers.upload.files import FileReader, LocalFile
from handlers.upload.presigned import PresignedUpload
from handlers.upload.state import Memory

# Above it a file goes in parts: what is sent again after an interruption is a part, and not the whole.
_PARTS_ABOVE_BYTES = 64 * 1024 * 1024

# The API's usual limit. A cloud with a lower one says so, and then that counts.
_BODY_MAX_BYTES = 4 * 1024 * 1024

_ROUTE_TIMEOUT_S = 3.0


@dataclass(slots=True, kw_only=True)
class Uploader:
    """Uploads one file after the other, and remembers what it learned of the clouds.

    Attributes:
        copies: In how many clouds an upload shall stand; None: as the clouds are set.
        budget_s: For all tries of one file.
        say: Tells a person what happens.
        begin: Called with the file's name and `total_bytes` when they begin to be sent.
        on_sent: Called with the number of bytes of each read of the file.
        on_part: Called whenever a part was acknowledged.
        parts_above_bytes: A file that is larger goes into the buckets in parts.
        failed: The cloud that failed last, which the next one is told; "" if none did.
        try_count: Of the last file.
    """

    api: Api
    order: CloudOrder
    copies: int | None
    budget_s: float
    say: Callable[[str], None]
    begin: Callable[..., None]
    on_sent: Callable[[int], None]
    on_part: Callable[[], None]
    parts_above_bytes: int = _PARTS_ABOVE_BYTES
    body_max_bytes: int = _BODY_MAX_BYTES
    failed: str = ""
    try_count: int = 0

    def prefer_active(self) -> None:
        """Ask for the active cloud, and try that first. Where nobody tells, the order stays."""
        asking = replace(self.api, timeout_s=min(self.api.timeout_s, _ROUTE_TIMEOUT_S))
        for cloud in list(self.order.clouds):
            try:
                answer = asking.call(cloud, "GET", "/v1/route", headers={})
            except CloudFailedError as error:
                self._note(cloud, error)
                continue
            except (UploadRefusedError, TooLargeError):
                continue  # no answer of ours to this question
            self.order.prefer(str(answer.fields.get("active")))
            return

    def upload(self, file: LocalFile, memory: Memory) -> Mapping[str, Any]:
        """Get a receipt for a file, as the API gives it.

        Raises:
            FileError: It changed.
            UploadRefusedError: No cloud will take it.
            OutOfTimeError, NoCloudLeftError: No cloud did.
        """
        give_up_at_s = self.order.monotonic_s() + self.budget_s
        presigned = PresignedUpload(
            api=self.api,
            file=file,
            memory=memory,
            begin=self.begin,
            on_sent=self.on_sent,
            on_part=self.on_part,
            in_parts=file.size_bytes > self.parts_above_bytes,
            left_s=lambda: give_up_at_s - self.order.monotonic_s(),
        )
        self.try_count = 0
        while True:
            cloud = self.order.next_cloud(give_up_at_s=give_up_at_s)
            self.try_count += 1
            try:
                receipt = self._checked(self._upload_at(cloud, file, presigned), file)
            except TooLargeError as error:
                if error.limit_bytes >= file.size_bytes:
                    raise UploadRefusedError(f"{cloud.title} contradicts itself on its limit") from error
                self.body_max_bytes = error.limit_bytes
            except CloudFailedError as error:
                self._note(cloud, error)
            else:
                self.order.note_success(cloud)
                self.failed = ""
                return receipt

    def _checked(self, receipt: Mapping[str, Any], file: LocalFile) -> Mapping[str, Any]:
        """What came is a receipt only if it is one of this very content."""
        copies = receipt.get("copies")
        is_enough = isinstance(copies, list) and len(copies) >= (self.copies or 1)
        is_same = (receipt.get("sha256"), receipt.get("size_bytes")) == (file.sha256, file.size_bytes)
        if not is_enough or not is_same or not isinstance(receipt.get("upload_id"), str):
            raise CloudFailedError("its answer is no receipt of this file")
        return receipt

    def _note(self, cloud: CloudState, error: CloudFailedError) -> None:
        self.order.note_failure(cloud, retry_after_s=error.retry_after_s)
        self.failed = error.failed or self.failed
        self.say(f"{cloud.title}: {error}")

    def _upload_at(self, cloud: CloudState, file: LocalFile, presigned: PresignedUpload) -> Mapping[str, Any]:
        headers = {"Idempotency-Key": presigned.memory.idempotency_key}
        if self.failed and self.failed != cloud.name:
            headers["Sluice-Failed"] = self.failed
        if file.size_bytes > min(self.body_max_bytes, self.parts_above_bytes):
            return presigned.run(cloud, copies=self.copies, headers=headers)
        digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
        headers |= {"Content-Digest": f"sha-256=:{digest}:", "Content-Type": "application/octet-stream"}
        query = {"name": file.name, **({} if self.copies is None else {"copies": str(self.copies)})}
        path = f"/v1/uploads?{urlencode(query, quote_via=quote)}"
        self.begin(file.name, total_bytes=file.size_bytes)
        with FileReader(file, on_read=self.on_sent, is_cancelled=threading.Event()) as body:
            answer = self.api.call(cloud, "POST", path, headers=headers, body=body, size_bytes=file.size_bytes)
        if answer.active:
            self.order.prefer(answer.active)
        return answer.fields
