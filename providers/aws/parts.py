"""Objects that are put in parts: S3's multipart uploads ("Uploading and copying objects using multipart upload").

Parts that nobody joins are removed by the bucket's lifecycle (`multipart_days`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.errors import UploadRejectedError
from core.parts import check_parts
from providers.aws.errors import SDK_ERRORS, code_of, status_of, translate

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef

_PART_MAX_COUNT = 1000  # of one answer of ListParts; more than `core.parts` cuts


def begin(client: "S3Client", *, bucket: str, key: str, content_type: str) -> str:
    """The id of the key's multipart upload: of the oldest that is under way, or of a new one."""
    try:
        # The prefix of an upload through the API ends with its name, so the first page has them all.
        listed = client.list_multipart_uploads(Bucket=bucket, Prefix=key)
        known = [(each["Initiated"], each["UploadId"]) for each in listed.get("Uploads", []) if each["Key"] == key]
        if known:
            return min(known)[1]
        return client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)["UploadId"]
    except SDK_ERRORS as error:
        raise translate(error, operation="S3 CreateMultipartUpload", subject=f"bucket {bucket}") from error


def join(client: "S3Client", *, bucket: str, key: str, upload_id: str, size_bytes: int, etags: Sequence[str]) -> bool:
    """Join the parts if the key has no object.

    Returns:
        False if there is nothing to join: the upload was joined, or the key is taken, or it never was.

    Raises:
        UploadRejectedError: A part is missing, or another one was put than the one whose ETag is given.
    """
    operation = "S3 ListParts"
    try:
        listed = client.list_parts(Bucket=bucket, Key=key, UploadId=upload_id, MaxParts=_PART_MAX_COUNT)
        chosen = _chosen(listed.get("Parts", []), etags, size_bytes=size_bytes)
        operation = "S3 CompleteMultipartUpload"
        client.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload_id, IfNoneMatch="*", MultipartUpload={"Parts": chosen}
        )
    except SDK_ERRORS as error:
        if code_of(error) == "NoSuchUpload" or status_of(error) == 412:
            return False
        if code_of(error) in ("InvalidPart", "InvalidPartOrder", "EntityTooSmall"):
            raise UploadRejectedError(f"the parts cannot be joined: {code_of(error)}") from error
        raise translate(error, operation=operation, subject=f"bucket {bucket}", is_write=True) from error
    return True


def _chosen(listed: "Sequence[PartTypeDef]", etags: Sequence[str], *, size_bytes: int) -> "list[CompletedPartTypeDef]":
    known = {part["PartNumber"]: part for part in listed}
    chosen: list[CompletedPartTypeDef] = []
    found_bytes: list[int | None] = []
    for number, etag in enumerate(etags, start=1):
        part = known.get(number)
        if part is None or etag.strip('"') not in ("", part["ETag"].strip('"')):
            found_bytes.append(None)
            continue
        found_bytes.append(part["Size"])
        chosen.append({"PartNumber": number, "ETag": part["ETag"]})
    check_parts(found_bytes, size_bytes=size_bytes)
    return chosen
