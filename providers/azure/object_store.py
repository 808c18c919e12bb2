"""Objects as block blobs of a container (`providers.azure.versions` says how a version is named)."""

import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import quote, unquote

from core.errors import OutcomeUnknownError, TransientError, UploadRejectedError
from core.parts import part_sizes
from core.ports import Absence, ObjectInfo, ObjectPage, OpenObject, PresignedParts, PresignedPut
from providers.azure import parts
from providers.azure.errors import code_of, status_of, translate, was_resent
from providers.azure.presign import presigned_query
from providers.azure.rest import CALL_ERRORS, Answer, OpenAnswer, Storage, xml_text
from providers.azure.versions import is_version, version_of

# Names of metadata are C# identifiers ("Naming and referencing containers, blobs, and metadata"): no hyphens.
_DERIVED_FROM = "x-ms-meta-sluicederivedfrom"
_PUT_BY = "x-ms-meta-sluiceputby"

_BLOB = re.compile(r"<Blob>(.*?)</Blob>", re.DOTALL)
_NAME = re.compile(r'<Name( Encoded="true")?>(.*?)</Name>', re.DOTALL)
_DIRECTORY = "<ResourceType>directory</ResourceType>"
_NEXT = re.compile(r"<NextMarker>(.*?)</NextMarker>", re.DOTALL)


class BlobObjectStore:
    """One container, of which the newest version of each blob is read: an overwritten one counts as gone, even if kept.

    Presigned URLs are shared access signatures, which bind neither size nor type nor version (see `presign_put`).
    """

    def __init__(self, *, bucket: str, client: Storage) -> None:
        self.bucket = bucket
        self._client = client

    @contextmanager
    def open(self, key: str, *, version: str) -> Iterator[OpenObject | Absence]:
        if not is_version(version):
            yield Absence.MISSING
            return
        with ExitStack() as stack:
            found = self._get(stack, key, version)
            if isinstance(found, Absence):
                yield found
                return
            yield OpenObject(info=_info(key, version, found), body=_Body(found, subject=self._subject))

    # A conditional put whose first sending landed without an answer, and its second one:
    #
    #     no blob ── ours lands ──> ours ── ours again, if absent: refused (409) ──> the blob has our token,
    #                answer lost                                                     so the key is not taken
    def put(
        self, key: str, body: BinaryIO, *, size_bytes: int, if_absent: bool = False, derived_from: str = ""
    ) -> ObjectInfo | None:
        _require_size(body, size_bytes)
        token = uuid.uuid4().hex
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
        if derived_from:
            headers[_DERIVED_FROM] = derived_from
        if if_absent:
            headers |= {"If-None-Match": "*", _PUT_BY: token}
        try:
            answer = self._client.call("PUT", self._path(key), headers=headers, body=body, size_bytes=size_bytes)
        except CALL_ERRORS as error:
            if code_of(error) != "BlobAlreadyExists":
                raise translate(error, operation="Put Blob", subject=self._subject, is_write=True) from error
            if not was_resent(error):
                return None
            answer = self._head(key)
            if answer.headers.get(_PUT_BY) != token:
                return None
        return ObjectInfo(
            key=key,
            version=version_of(answer.headers["etag"]),
            size_bytes=size_bytes,
            modified_at_ms=_date_ms(answer.headers["last-modified"]),
            derived_from=derived_from,
        )

    def find(self, key: str) -> ObjectInfo | None:
        try:
            found = self._client.call("HEAD", self._path(key))
        except CALL_ERRORS as error:
            if code_of(error) == "BlobNotFound":
                return None
            raise translate(error, operation="Get Blob Properties", subject=self._subject) from error
        return _info(key, version_of(found.headers["etag"]), found)

    def presign_get(self, key: str, *, version: str, valid_s: int) -> str:
        """As the port says; the URL reads whatever the key holds then."""
        query = presigned_query(self._client, bucket=self.bucket, key=key, permission="r", valid_s=valid_s)
        return f"{self._client.url}{self._path(key)}?{query}"

    def presign_put(self, key: str, *, size_bytes: int, content_type: str, valid_s: int) -> PresignedPut:
        """As the port says, but the size and type are only asked for: compare them when the upload has come."""
        query = presigned_query(self._client, bucket=self.bucket, key=key, permission="cw", valid_s=valid_s)
        headers = {
            "content-length": str(size_bytes),
            "content-type": content_type,
            "x-ms-blob-type": "BlockBlob",
        }
        return PresignedPut(url=f"{self._client.url}{self._path(key)}?{query}", headers=headers)

    def presign_parts(
        self, key: str, *, size_bytes: int, content_type: str, part_bytes: int, valid_s: int
    ) -> PresignedParts:
        """As the port says, but that sizes are only asked for. The content type is the handle: blocks have none."""
        query = presigned_query(self._client, bucket=self.bucket, key=key, permission="cw", valid_s=valid_s)
        puts = [
            PresignedPut(
                url=f"{self._client.url}{self._path(key)}?{parts.block_query(number)}&{query}",
                headers={"content-length": str(size)},
            )
            for number, size in enumerate(part_sizes(size_bytes, part_bytes), start=1)
        ]
        return PresignedParts(parts=puts, handle=content_type)

    def join_parts(self, key: str, *, handle: str, size_bytes: int, etags: Sequence[str]) -> ObjectInfo:
        if found := self.find(key):
            return found
        try:
            parts.join(
                self._client,
                path=self._path(key),
                subject=self._subject,
                content_type=handle,
                size_bytes=size_bytes,
                part_count=len(etags),
            )
        except UploadRejectedError:  # or another joined them meanwhile
            if self.find(key) is None:
                raise
        joined = self.find(key)
        if joined is None:
            raise TransientError(f"Azure Put Block List of {self._subject}: the blob is gone already")
        return joined

    def page(self, *, after: str = "", limit: int = 1000) -> ObjectPage:
        """As the port says. The directories of an account with a hierarchical namespace are no objects.

        Source: "List Blobs", from version 2020-10-02 on: ResourceType is file or directory. Unit-tested only: Azurite
        has no such accounts.
        """
        query = {"restype": "container", "comp": "list", "maxresults": str(limit)}
        if after:
            query["marker"] = after
        try:
            answer = self._client.call("GET", f"/{self.bucket}", query=query)
        except CALL_ERRORS as error:
            raise translate(error, operation="List Blobs", subject=self._subject) from error
        text = answer.body.decode()
        following = _NEXT.search(text)
        return ObjectPage(
            objects=[_listed(blob) for blob in _BLOB.findall(text) if _DIRECTORY not in blob],
            after=xml_text(following[1]) if following else "",
        )

    @property
    def _subject(self) -> str:
        return f"container {self.bucket}"

    def _path(self, key: str) -> str:
        return f"/{self.bucket}/{quote(key, safe='~')}"

    def _get(self, stack: ExitStack, key: str, version: str) -> OpenAnswer | Absence:
        try:
            return stack.enter_context(self._client.stream(self._path(key), headers={"If-Match": f'"{version}"'}))
        except CALL_ERRORS as error:
            if code_of(error) == "BlobNotFound":
                return Absence.MISSING
            if status_of(error) != 412:
                raise translate(error, operation="Get Blob", subject=self._subject) from error
            return self._absence(key)

    def _absence(self, key: str) -> Absence:
        """Why a version is not there. An If-Match is refused in the same way whether the blob is another or none."""
        try:
            self._client.call("HEAD", self._path(key))
        except CALL_ERRORS as error:
            if code_of(error) == "BlobNotFound":
                return Absence.MISSING
            raise translate(error, operation="Get Blob Properties", subject=self._subject) from error
        return Absence.REPLACED

    def _head(self, key: str) -> Answer:
        try:
            return self._client.call("HEAD", self._path(key))
        except CALL_ERRORS as error:
            known = translate(error, operation="Get Blob Properties", subject=self._subject)
            raise OutcomeUnknownError(str(known)) from error


class _Body:
    """A streamed answer whose errors are ours."""

    def __init__(self, body: OpenAnswer, *, subject: str) -> None:
        self._body = body
        self._subject = subject

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._body.read(size)
        except CALL_ERRORS as error:
            raise translate(error, operation="Get Blob, its body,", subject=self._subject) from error


def _info(key: str, version: str, found: OpenAnswer | Answer) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        version=version,
        size_bytes=int(found.headers["content-length"]),
        modified_at_ms=_date_ms(found.headers["last-modified"]),
        derived_from=found.headers.get(_DERIVED_FROM, ""),
    )


def _listed(blob: str) -> ObjectInfo:
    name = _NAME.search(blob)
    assert name is not None, "a listing names its blobs"
    key = xml_text(name[2])
    return ObjectInfo(
        key=unquote(key) if name[1] else key,
        version=version_of(_element(blob, "Etag")),
        size_bytes=int(_element(blob, "Content-Length")),
        modified_at_ms=_date_ms(_element(blob, "Last-Modified")),
    )


def _element(text: str, name: str) -> str:
    return xml_text(text.partition(f"<{name}>")[2].partition(f"</{name}>")[0])


def _date_ms(text: str) -> int:
    return round(parsedate_to_datetime(text).timestamp() * 1000)


def _require_size(body: BinaryIO, size_bytes: int) -> None:
    found_bytes = body.seek(0, os.SEEK_END)
    body.seek(0)
    if found_bytes != size_bytes:
        raise TransientError(f"Azure Put Blob: the body has {found_bytes} of {size_bytes} bytes")
