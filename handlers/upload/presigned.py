"""The way for large files: straight into the buckets, with URLs that the API gives.

presign ──> PUT into `copies` buckets at once ──> complete ──> receipt
                one fails: the spare takes its place

A large file goes into each bucket in parts (`handlers.upload.parts`), and `complete` has them joined.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from core.gather import ThreadGather
from core.parts import part_sizes
from handlers.upload.api import Api, CloudFailedError
from handlers.upload.clouds import CloudState
from handlers.upload.files import FileReader, LocalFile
from handlers.upload.parts import SendingParts, put, put_parts
from handlers.upload.state import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigned:
    """What a cloud answered to :presign.

    Attributes:
        targets: {cloud: {"url", "headers"}}, in parts {cloud: {"handle", "parts"}}, in the order of their use.
        part_bytes: Of each part but the last; 0: each copy goes at once.
    """

    ticket: Mapping[str, Any]
    copies: int
    targets: Mapping[str, Mapping[str, Any]]
    part_bytes: int


@dataclass(slots=True, kw_only=True)
class PresignedUpload:
    """One file on this way. `memory` follows what stands already, under `lock`.

    Attributes:
        in_parts: Whether it goes in parts.
        left_s: How long putting may take.
    """

    api: Api
    file: LocalFile
    memory: Memory
    begin: Callable[..., None]
    on_sent: Callable[[int], None]
    on_part: Callable[[], None]
    in_parts: bool
    left_s: Callable[[], float]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, cloud: CloudState, *, copies: int | None, headers: Mapping[str, str]) -> Mapping[str, Any]:
        """Get a receipt from a cloud. Errors as of `Api.call`, and FileError."""
        presigned = self._presign(cloud, copies=copies, headers=headers)
        self._put_all(presigned)
        upload_id = str(presigned.ticket.get("upload_id"))
        given: dict[str, Any] = {"ticket": presigned.ticket, "copies": presigned.copies}
        if self.in_parts:
            given["parts"] = {cloud: put_parts(self.memory.parts[cloud]) for cloud in self._put_in_parts()}
        try:
            return self.api.post_json(cloud, f"/v1/uploads/{upload_id}:complete", given, headers={})
        except CloudFailedError as error:
            if error.stood is not None:
                with self.lock:
                    self.memory = self.memory.with_stood(tuple(dict.fromkeys((*self.memory.stood, *error.stood))))
                    self.memory = self.memory.without(error.absent)
            raise

    def _presign(self, cloud: CloudState, *, copies: int | None, headers: Mapping[str, str]) -> Presigned:
        given: dict[str, Any] = {
            "name": self.file.name,
            "size_bytes": self.file.size_bytes,
            "sha256": self.file.sha256,
        }
        if copies is not None:
            given["copies"] = copies
        if self.in_parts:
            given["parts"] = True
        answer = self.api.post_json(cloud, "/v1/uploads:presign", given, headers=headers)
        ticket, targets, wanted = answer.get("ticket"), answer.get("targets"), answer.get("copies")
        part_bytes = answer.get("part_bytes", 0)
        if not isinstance(ticket, dict) or not isinstance(targets, dict) or type(wanted) is not int:
            raise CloudFailedError("its answer is not what this version reads")
        if type(part_bytes) is not int or (part_bytes > 0) != self.in_parts:
            raise CloudFailedError("its answer is not what this version reads")
        return Presigned(ticket=ticket, copies=wanted, targets=targets, part_bytes=part_bytes)

    def _put_all(self, presigned: Presigned) -> None:
        """Have the object stand in enough clouds; those where it was put earlier count."""
        before = [cloud for cloud in self.memory.stood if cloud in presigned.targets]
        needed = presigned.copies - len(before)
        if needed <= 0:
            return
        self._begin(needed, presigned)
        is_over = threading.Event()
        left_s = max(self.left_s(), 0.1)
        tasks = {
            cloud: partial(self._put_parts if self.in_parts else self._put, cloud, target, presigned, is_over)
            for cloud, target in presigned.targets.items()
            if cloud not in before
        }
        try:
            gathered = ThreadGather(hedge_after_s=left_s, timeout_s=left_s)(tasks, needed=needed)
        finally:
            is_over.set()  # nobody waits for what still runs
        with self.lock:
            self.memory = self.memory.with_stood((*before, *gathered.done))
        if len(gathered.done) < needed:
            failed = next(iter(gathered.failed), "")
            reasons = "; ".join(str(error) for error in gathered.failed.values()) or "too few targets"
            raise CloudFailedError(
                f"{len(self.memory.stood)} of {presigned.copies} copies stand: {reasons}", failed=failed
            )

    def _begin(self, needed: int, presigned: Presigned) -> None:
        """Tell how much is to be sent; parts that were acknowledged before are not."""
        total_bytes, part_count = needed * self.file.size_bytes, 0
        if self.in_parts:
            each = len(part_sizes(self.file.size_bytes, presigned.part_bytes))
            kept = [len(sent.etags) for cloud, sent in self.memory.parts.items() if cloud not in self.memory.stood]
            part_count = max(needed * each - sum(kept), 0)
            total_bytes = min(total_bytes, part_count * presigned.part_bytes)
        self.begin(self.file.name, total_bytes=total_bytes, part_count=part_count)

    def _put_in_parts(self) -> list[str]:
        return [cloud for cloud in self.memory.stood if cloud in self.memory.parts]

    def _put_parts(self, cloud: str, target: Mapping[str, Any], presigned: Presigned, is_over: threading.Event) -> None:
        """PUT the parts that one bucket has not acknowledged. Raises as `_put`."""
        handle = str(target.get("handle"))
        with self.lock:
            self.memory = self.memory.with_parts_of(cloud, handle=handle, part_bytes=presigned.part_bytes)
            sent = self.memory.parts[cloud]

        def acknowledge(number: int, etag: str) -> None:
            with self.lock:
                self.memory = self.memory.with_part(cloud, number, etag)
            self.on_part()

        SendingParts(
            file=self.file,
            cloud=cloud,
            targets=target.get("parts"),
            sent=sent,
            acknowledge=acknowledge,
            on_sent=self.on_sent,
            is_over=is_over,
            timeout_s=self.api.timeout_s,
        ).run()

    def _put(self, cloud: str, target: Mapping[str, Any], _presigned: Presigned, is_over: threading.Event) -> None:
        """PUT the object into one bucket.

        Raises:
            TransientError: It does not stand there, as far as we know.
            FileError: The file changed.
        """
        with FileReader(self.file, on_read=self.on_sent, is_cancelled=is_over) as body:
            put(target, body, cloud=cloud, size_bytes=self.file.size_bytes, timeout_s=self.api.timeout_s)
