"""Objects in a bucket of S3, with or without versions (`providers.aws.versions` says how a version is named)."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from core.errors import OutcomeUnknownError, TransientError, UploadRejectedError
from core.parts import part_sizes
from core.ports import Absence, ObjectInfo, ObjectPage, OpenObject, PresignedParts, PresignedPut
from providers.aws import parts
from providers.aws.errors import SDK_ERRORS, absence_of, status_of, translate, was_retried
from providers.aws.streamed_body import StreamedBody
from providers.aws.versions import etag_of, version_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DERIVED_FROM = "sluice-derived-from"
_PUT_BY = "sluice-put-by"


class S3ObjectStore:
    """One bucket. Presigned URLs end with the function's own credentials, if those end first."""

    def __init__(self, *, bucket: str, client: "S3Client") -> None:
        self.bucket = bucket
        self._client = client

    @contextmanager
    def open(self, key: str, *, version: str) -> Iterator[OpenObject | Absence]:
        found = self._get(key, version)
        if isinstance(found, Absence):
            yield found
            return
        info = ObjectInfo(
            key=key,
            version=version,
            size_bytes=found["ContentLength"],
            modified_at_ms=round(found["LastModified"].timestamp() * 1000),
            derived_from=found["Metadata"].get(_DERIVED_FROM, ""),
        )
        with closing(found["Body"]) as body:  # drops the connection if the body was not read to its end
            yield OpenObject(info=info, body=StreamedBody(body, subject=self._subject))

    # A conditional put, its answer lost, and the SDK's second sending of it:
    #
    #     no object ── ours lands ──> ours ── ours again, if absent: refused (412) ──> the object has our token,
    #                  answer lost                                                     so the key is not taken
    def put(
        self, key: str, body: BinaryIO, *, size_bytes: int, if_absent: bool = False, derived_from: str = ""
    ) -> ObjectInfo | None:
        """As the port says. A put without condition that the SDK sent twice may leave two equal versions."""
        _require_size(body, size_bytes)
        token = uuid.uuid4().hex
        metadata = {_DERIVED_FROM: derived_from} if derived_from else {}
        options: dict[str, Any] = {"Metadata": metadata}
        if if_absent:
            options = {"Metadata": metadata | {_PUT_BY: token}, "IfNoneMatch": "*"}
        answer: Any
        try:
            answer = self._client.put_object(Bucket=self.bucket, Key=key, Body=body, **options)
        except SDK_ERRORS as error:
            if status_of(error) != 412:
                raise translate(error, operation="S3 PutObject", subject=self._subject, is_write=True) from error
            if not was_retried(error):
                return None
            answer = self._head(key)
            if answer["Metadata"].get(_PUT_BY) != token:
                return None
        return ObjectInfo(
            key=key,
            version=version_of(version_id=answer.get("VersionId"), etag=answer["ETag"]),
            size_bytes=size_bytes,
            modified_at_ms=_date_ms(answer),
            derived_from=derived_from,
        )

    def find(self, key: str) -> ObjectInfo | None:
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=key)
        except SDK_ERRORS as error:
            # A HEAD has no body, so no code tells a missing key from a missing bucket; then listing tells.
            if status_of(error) == 404:
                self.page(limit=1)
                return None
            raise translate(error, operation="S3 HeadObject", subject=self._subject) from error
        return ObjectInfo(
            key=key,
            version=version_of(version_id=found.get("VersionId"), etag=found["ETag"]),
            size_bytes=found["ContentLength"],
            modified_at_ms=round(found["LastModified"].timestamp() * 1000),
            derived_from=found["Metadata"].get(_DERIVED_FROM, ""),
        )

    def presign_get(self, key: str, *, version: str, valid_s: int) -> str:
        """As the port says; in a bucket without versions the URL reads whatever the key holds then."""
        params = {"Bucket": self.bucket, "Key": key}
        if not etag_of(version):
            params["VersionId"] = version
        return self._presign("get_object", params, valid_s)

    def presign_put(self, key: str, *, size_bytes: int, content_type: str, valid_s: int) -> PresignedPut:
        params = {"Bucket": self.bucket, "Key": key, "ContentLength": size_bytes, "ContentType": content_type}
        headers = {"content-length": str(size_bytes), "content-type": content_type}
        return PresignedPut(url=self._presign("put_object", params, valid_s), headers=headers)

    def presign_parts(
        self, key: str, *, size_bytes: int, content_type: str, part_bytes: int, valid_s: int
    ) -> PresignedParts:
        handle = parts.begin(self._client, bucket=self.bucket, key=key, content_type=content_type)
        puts = []
        for number, size in enumerate(part_sizes(size_bytes, part_bytes), start=1):
            params = {"Bucket": self.bucket, "Key": key, "UploadId": handle, "PartNumber": number}
            url = self._presign("upload_part", params | {"ContentLength": size}, valid_s)
            puts.append(PresignedPut(url=url, headers={"content-length": str(size)}))
        return PresignedParts(parts=puts, handle=handle)

    def join_parts(self, key: str, *, handle: str, size_bytes: int, etags: Sequence[str]) -> ObjectInfo:
        if found := self.find(key):
            return found
        parts.join(self._client, bucket=self.bucket, key=key, upload_id=handle, size_bytes=size_bytes, etags=etags)
        joined = self.find(key)
        if joined is None:
            raise UploadRejectedError("part 1 is missing: no such multipart upload is under way")
        return joined

    def page(self, *, after: str = "", limit: int = 1000) -> ObjectPage:
        """As the port says, in the order of the keys' bytes. Old versions and delete markers leave gaps in a page."""
        # Without a VersionIdMarker it goes on after all versions of the key, whose newest came first.
        start: dict[str, Any] = {"KeyMarker": after} if after else {}
        try:
            # ListObjectsV2 tells no versionId, and so nothing by which the event of the same upload is recognised.
            found = self._client.list_object_versions(Bucket=self.bucket, MaxKeys=limit, **start)
        except SDK_ERRORS as error:
            raise translate(error, operation="S3 ListObjectVersions", subject=self._subject) from error
        objects = [
            ObjectInfo(
                key=entry["Key"],
                version=version_of(version_id=entry.get("VersionId"), etag=entry["ETag"]),
                size_bytes=entry["Size"],
                modified_at_ms=round(entry["LastModified"].timestamp() * 1000),
            )
            for entry in found.get("Versions", [])
            if entry["IsLatest"]
        ]
        return ObjectPage(objects=objects, after=found["NextKeyMarker"] if found["IsTruncated"] else "")

    @property
    def _subject(self) -> str:
        return f"bucket {self.bucket}"

    def _get(self, key: str, version: str) -> Any:
        if not version:
            return Absence.MISSING  # S3 would read whatever the key holds now
        etag = etag_of(version)
        pin: dict[str, Any] = {"IfMatch": f'"{etag}"'} if etag else {"VersionId": version}
        try:
            return self._client.get_object(Bucket=self.bucket, Key=key, **pin)
        except SDK_ERRORS as error:
            absence = absence_of(error)
            if absence is None:
                raise translate(error, operation="S3 GetObject", subject=self._subject) from error
            return absence

    def _head(self, key: str) -> Any:
        try:
            return self._client.head_object(Bucket=self.bucket, Key=key)
        except SDK_ERRORS as error:
            known = translate(error, operation="S3 HeadObject", subject=self._subject)
            raise OutcomeUnknownError(str(known)) from error

    def _presign(self, method: str, params: dict[str, Any], valid_s: int) -> str:
        try:
            return self._client.generate_presigned_url(method, Params=params, ExpiresIn=valid_s)
        except SDK_ERRORS as error:
            raise translate(error, operation=f"S3 presigned {method}", subject=self._subject) from error


def _require_size(body: BinaryIO, size_bytes: int) -> None:
    found_bytes = body.seek(0, os.SEEK_END)
    body.seek(0)  # the SDK, too, sends from here when it sends again
    if found_bytes != size_bytes:
        raise TransientError(f"AWS S3 PutObject: the body has {found_bytes} of {size_bytes} bytes")


def _date_ms(answer: Any) -> int:
    # PutObject tells no time but that of its answer, by the same clock.
    sent: str = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    return round(parsedate_to_datetime(sent).timestamp() * 1000) if sent else 0
