"""An object of 2.5 GiB, put in parts so that this side holds no more than one of them."""

import hashlib

from core.ports import ObjectInfo
from drills.aws.cloud import LocalAws

MIB = 1024 * 1024
_PART = bytes(range(256)) * 4096 * 64
_PART_COUNT = 40


def put_big_object(aws: LocalAws, *, key: str) -> tuple[ObjectInfo, str]:
    """Put it; returns what S3 tells of it, and its sha256."""
    upload_id = aws.s3.create_multipart_upload(Bucket=aws.bucket, Key=key)["UploadId"]
    sha256 = hashlib.sha256()
    parts = []
    for number in range(1, _PART_COUNT + 1):
        sha256.update(_PART)
        part = aws.s3.upload_part(Bucket=aws.bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=_PART)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    done = aws.s3.complete_multipart_upload(
        Bucket=aws.bucket,
        Key=key,
        UploadId=upload_id,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
    )
    info = ObjectInfo(key=key, version=done["VersionId"], size_bytes=len(_PART) * _PART_COUNT)
    return info, sha256.hexdigest()
