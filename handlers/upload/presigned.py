"""The way for large files: straight into the buckets, with URLs that the API gives.

presign ──> PUT into `copies` buckets at once ──> complete ──> receipt
                one fails: the spare takes its place
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.errors import TransientError
from core.gather import ThreadGather
from handlers.peers.http_call import NoAnswerError, NoConnectionError
from handlers.peers.settings import origin_of
from handlers.upload.api import Api, CloudFailedError
from handlers.upload.clouds import CloudState
from handlers.upload.files import FileReader, LocalFile
from handlers.upload.http import send
from handlers.upload.state import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigned:
    """What a cloud answered to :presign.

    Attributes:
        targets: {cloud: {"url", "headers"}}, in the order in which they are to be used.
    """

    ticket: Mapping[str, Any]
    copies: int
    targets: Mapping[str, Mapping[str, Any]]


@dataclass(slots=True, kw_only=True)
class PresignedUpload:
    """One file on this way. `memory` follows what stands already.

    Attributes:
        left_s: How long putting may take.
    """

    api: Api
    file: LocalFile
    memory: Memory
    begin: Callable[..., None]
    on_sent: Callable[[int], None]
    left_s: Callable[[], float]

    def run(self, cloud: CloudState, *, copies: int | None, headers: Mapping[str, str]) -> Mapping[str, Any]:
        """Get a receipt from a cloud. Errors as of `Api.call`, and FileError."""
        presigned = self._presign(cloud, copies=copies, headers=headers)
        self._put_all(presigned)
        upload_id = str(presigned.ticket.get("upload_id"))
        given = {"ticket": presigned.ticket, "copies": presigned.copies}
        try:
            return self.api.post_json(cloud, f"/v1/uploads/{upload_id}:complete", given, headers={})
        except CloudFailedError as error:
            if error.stood is not None:
                self.memory = self.memory.with_stood(error.stood)
            raise

    def _presign(self, cloud: CloudState, *, copies: int | None, headers: Mapping[str, str]) -> Presigned:
        given: dict[str, Any] = {
            "name": self.file.name,
            "size_bytes": self.file.size_bytes,
            "sha256": self.file.sha256,
        }
        if copies is not None:
            given["copies"] = copies
        answer = self.api.post_json(cloud, "/v1/uploads:presign", given, headers=headers)
        ticket, targets, wanted = answer.get("ticket"), answer.get("targets"), answer.get("copies")
        if not isinstance(ticket, dict) or not isinstance(targets, dict) or type(wanted) is not int:
            raise CloudFailedError("its answer is not what this version reads")
        return Presigned(ticket=ticket, copies=wanted, targets=targets)

    def _put_all(self, presigned: Presigned) -> None:
        """Have the object stand in enough clouds; those where it was put earlier count."""
        before = [cloud for cloud in self.memory.stood if cloud in presigned.targets]
        needed = presigned.copies - len(before)
        if needed <= 0:
            return
        self.begin(self.file.name, total_bytes=needed * self.file.size_bytes)
        is_over = threading.Event()
        left_s = max(self.left_s(), 0.1)
        tasks = {
            cloud: partial(self._put, cloud, target, is_over)
            for cloud, target in presigned.targets.items()
            if cloud not in before
        }
        try:
            gathered = ThreadGather(hedge_after_s=left_s, timeout_s=left_s)(tasks, needed=needed)
        finally:
            is_over.set()  # nobody waits for what still runs
        self.memory = self.memory.with_stood((*before, *gathered.done))
        if len(gathered.done) < needed:
            failed = next(iter(gathered.failed), "")
            reasons = "; ".join(str(error) for error in gathered.failed.values()) or "too few targets"
            raise CloudFailedError(
                f"{len(self.memory.stood)} of {presigned.copies} copies stand: {reasons}", failed=failed
            )

    def _put(self, cloud: str, target: Mapping[str, Any], is_over: threading.Event) -> None:
        """PUT the object into one bucket.

        Raises:
            TransientError: It does not stand there, as far as we know.
            FileError: The file changed.
        """
        url, headers = target.get("url"), target.get("headers")
        try:
            if not isinstance(url, str) or not isinstance(headers, dict) or not origin_of(url):
                raise ValueError("it is no presigned PUT")
        except ValueError as error:
            raise TransientError(f"the bucket of {cloud}: {error}") from error
        with FileReader(self.file, on_read=self.on_sent, is_cancelled=is_over) as body:
            try:
                answer = send(
                    "PUT",
                    url,
                    headers={str(name): str(value) for name, value in headers.items()},
                    body=body,
                    size_bytes=self.file.size_bytes,
                    timeout_s=self.api.timeout_s,
                )
            except (NoConnectionError, NoAnswerError) as error:
                raise TransientError(f"the bucket of {cloud}: no answer ({error})") from error
        if not 200 <= answer.status < 300:
            raise TransientError(f"the bucket of {cloud} answered {answer.status}")
