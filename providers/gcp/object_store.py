"""Objects in a bucket of Cloud Storage, with or without versions. A version is named by its generation."""

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from core.errors import OutcomeUnknownError, TransientError, UploadRejectedError
from core.parts import part_key, part_sizes
from core.ports import Absence, ObjectInfo, ObjectPage, OpenObject, PresignedParts, PresignedPut
from providers.gcp import parts
from providers.gcp.clients import GoogleApi, read_json
from providers.gcp.errors import CallError, translate
from providers.gcp.signing import Signer, signed_url
from providers.gcp.versions import sequencer_of

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_DERIVED_FROM = "sluice-derived-from"
_PUT_BY = "sluice-put-by"
_GENERATION = re.compile(r"[1-9][0-9]{0,18}")
_CHUNK_BYTES = 256 * 1024


class GcsObjectStore:
    """One bucket. Cloud Storage takes no keys with line breaks, nor "." and ".." ("Object name requirements")."""

    def __init__(self, *, bucket: str, api: GoogleApi, signer: Signer, clock_ms: Callable[[], int]) -> None:
        self.bucket = bucket
        self._api = api
        self._signer = signer
        self._clock_ms = clock_ms

    @contextmanager
    def open(self, key: str, *, version: str) -> Iterator[OpenObject | Absence]:
        found = self._get(key, version)
        if isinstance(found, Absence):
            yield found
            return
        info = ObjectInfo(
            key=key,
            version=version,
            # What is stored: with gzip as its content encoding, an object could be sent unpacked.
            size_bytes=int(found.headers.get("x-goog-stored-content-length") or found.headers["content-length"]),
            modified_at_ms=round(parsedate_to_datetime(found.headers["last-modified"]).timestamp() * 1000),
            derived_from=found.headers.get(f"x-goog-meta-{_DERIVED_FROM}", ""),
        )
        with found:  # drops the connection if the body was not read to its end
            yield OpenObject(info=info, body=_Body(found, subject=self._subject))

    # A conditional put, its answer lost, and its second sending:
    #
    #     no object ── ours lands ──> ours ── ours again, if absent: refused (412) ──> the object has our token,
    #                  answer lost                                                     so the key is not taken
    def put(
        self, key: str, body: BinaryIO, *, size_bytes: int, if_absent: bool = False, derived_from: str = ""
    ) -> ObjectInfo | None:
        """As the port says. A put without condition that was sent twice may leave two equal versions."""
        _require_size(body, size_bytes)
        token = uuid.uuid4().hex
        metadata = {_DERIVED_FROM: derived_from} if derived_from else {}
        query = {"uploadType": "multipart"}
        if if_absent:
            metadata[_PUT_BY] = token
            query["ifGenerationMatch"] = "0"
        try:
            stored = self._upload({"name": key, "metadata": metadata}, body, size_bytes, query)
        except CallError as error:
            if error.status != 412:
                raise translate(error, operation="Storage insert", subject=self._subject, is_write=True) from error
            if not error.was_retried:
                return None
            stored = self._metadata_after_lost_answer(key)
            if stored.get("metadata", {}).get(_PUT_BY) != token:
                return None
        return _info(stored, derived_from=derived_from)

    def find(self, key: str) -> ObjectInfo | None:
        try:
            stored = self._metadata(key)
        except CallError as error:
            if error.status == 404:
                self.page(limit=1)  # raises if it is the bucket that is missing: the code is the same
                return None
            raise translate(error, operation="Storage get", subject=self._subject) from error
        return _info(stored, derived_from=stored.get("metadata", {}).get(_DERIVED_FROM, ""))

    def presign_get(self, key: str, *, version: str, valid_s: int) -> str:
        return self._presign("GET", key, query={"generation": version}, headers={}, valid_s=valid_s)

    def presign_put(self, key: str, *, size_bytes: int, content_type: str, valid_s: int) -> PresignedPut:
        headers = {
            "content-length": str(size_bytes),
            "content-type": content_type,
            "x-goog-content-length-range": f"{size_bytes},{size_bytes}",
        }
        url = self._presign("PUT", key, query={}, headers=headers, valid_s=valid_s)
        return PresignedPut(url=url, headers=headers)

    def presign_parts(
        self, key: str, *, size_bytes: int, content_type: str, part_bytes: int, valid_s: int
    ) -> PresignedParts:
        """As the port says. The content type is the handle: it is of the object, and not of its parts."""
        puts = [
            self.presign_put(
                part_key(key, number), size_bytes=size, content_type="application/octet-stream", valid_s=valid_s
            )
            for number, size in enumerate(part_sizes(size_bytes, part_bytes), start=1)
        ]
        return PresignedParts(parts=puts, handle=content_type)

    def join_parts(self, key: str, *, handle: str, size_bytes: int, etags: Sequence[str]) -> ObjectInfo:
        if found := self.find(key):
            return found
        try:
            parts.join(
                self._api,
                bucket=self.bucket,
                key=key,
                content_type=handle,
                size_bytes=size_bytes,
                part_count=len(etags),
            )
        except UploadRejectedError:  # or another joined them meanwhile
            if self.find(key) is None:
                raise
        joined = self.find(key)
        if joined is None:
            raise TransientError(f"Google Storage compose of {self._subject}: the object is gone already")
        return joined

    def page(self, *, after: str = "", limit: int = 1000) -> ObjectPage:
        """As the port says, in the order of the keys' bytes."""
        query = {"maxResults": str(limit), **({"pageToken": after} if after else {})}
        try:
            found = self._api.call("GET", f"/storage/v1/b/{self.bucket}/o", query=query)
        except CallError as error:
            raise translate(error, operation="Storage list", subject=self._subject) from error
        objects = [_info(stored) for stored in found.get("items", [])]
        return ObjectPage(objects=objects, after=found.get("nextPageToken", ""))

    @property
    def _subject(self) -> str:
        return f"bucket {self.bucket}"

    def _get(self, key: str, version: str) -> "BaseHTTPResponse | Absence":
        if not _GENERATION.fullmatch(version):
            return Absence.MISSING  # none that Cloud Storage could have given
        try:
            # The XML API, because only it is documented to send the custom metadata along with the content. What is
            # stored with gzip as its content encoding is sent as it is only to those who accept gzip.
            return self._api.send(
                "GET",
                f"/{self.bucket}/{quote(key, safe='')}",
                query={"generation": version},
                headers={"accept-encoding": "gzip"},
            )
        except CallError as error:
            if error.status == 404 and error.code != "NoSuchBucket":
                return self._why_absent(key, version)
            raise translate(error, operation="Storage get", subject=self._subject) from error

    def _why_absent(self, key: str, version: str) -> Absence:
        try:
            live = self._metadata(key)
        except CallError as error:
            if error.status == 404:
                return Absence.MISSING
            raise translate(error, operation="Storage get", subject=self._subject) from error
        return Absence.REPLACED if int(live["generation"]) > int(version) else Absence.MISSING

    def _metadata(self, key: str) -> Any:
        return self._api.call("GET", f"/storage/v1/b/{self.bucket}/o/{quote(key, safe='')}")

    def _metadata_after_lost_answer(self, key: str) -> Any:
        try:
            return self._metadata(key)
        except CallError as error:
            known = translate(error, operation="Storage get", subject=self._subject)
            raise OutcomeUnknownError(str(known)) from error

    def _upload(self, metadata: Mapping[str, Any], body: BinaryIO, size_bytes: int, query: Mapping[str, str]) -> Any:
        # The one way that takes metadata, content and condition in one request ("Multipart upload", JSON API).
        boundary = uuid.uuid4().hex
        head = (
            f"--{boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{json.dumps(metadata)}\r\n"
            f"--{boundary}\r\ncontent-type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()

        def make_body() -> Iterator[bytes]:
            body.seek(0)  # a second sending begins anew
            yield head
            while chunk := body.read(_CHUNK_BYTES):
                yield chunk
            yield tail

        headers = {
            "content-type": f"multipart/related; boundary={boundary}",
            "content-length": str(len(head) + size_bytes + len(tail)),
        }
        path = f"/upload/storage/v1/b/{self.bucket}/o"
        with self._api.send("POST", path, query=query, headers=headers, make_body=make_body) as answer:
            return read_json(answer)

    def _presign(
        self, method: str, key: str, *, query: Mapping[str, str], headers: Mapping[str, str], valid_s: int
    ) -> str:
        try:
            return signed_url(
                method,
                self._api.url,
                f"/{self.bucket}/{quote(key, safe='/~')}",
                query=query,
                headers=headers,
                valid_s=valid_s,
                at_ms=self._clock_ms(),
                signer=self._signer,
            )
        except CallError as error:
            raise translate(error, operation=f"Storage presigned {method}", subject=self._subject) from error


class _Body:
    """A streamed answer whose errors are ours."""

    def __init__(self, answer: "BaseHTTPResponse", *, subject: str) -> None:
        self._answer = answer
        self._subject = subject

    def read(self, size: int = -1, /) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            return self._answer.read(None if size < 0 else size)
        except HTTPError as error:
            text = f"Google Storage get, its body, of {self._subject}: {type(error).__name__}"
            raise TransientError(text) from error


def _info(stored: Mapping[str, Any], *, derived_from: str = "") -> ObjectInfo:
    return ObjectInfo(
        key=stored["name"],
        version=str(stored["generation"]),
        size_bytes=int(stored["size"]),
        modified_at_ms=round(datetime.fromisoformat(stored["timeCreated"]).timestamp() * 1000),
        sequencer=sequencer_of(str(stored["generation"])),
        derived_from=derived_from,
    )


def _require_size(body: BinaryIO, size_bytes: int) -> None:
    found_bytes = body.seek(0, os.SEEK_END)
    if found_bytes != size_bytes:
        raise TransientError(f"Google Storage insert: the body has {found_bytes} of {size_bytes} bytes")
