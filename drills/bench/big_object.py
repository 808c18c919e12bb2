"""An object of 2.5 GiB on the local AWS: how long Sluice takes for it, and how little memory."""

import hashlib

from core.ports import ObjectInfo
from drills.aws.cloud import LocalAws
from drills.bench.aws import AwsBench
from drills.bench.sampling import CONTENT, time_call_ms

MIB = 1024 * 1024
_PART = bytes(range(256)) * 4096 * 64
_PART_COUNT = 40


def measure_big_object(bench: AwsBench) -> str:
    """The figures, in a sentence.

    Raises:
        RuntimeError: It was not recorded, or with another hash.
    """
    instance = bench.start("sluice", label="big")
    try:
        instance.handle(bench.put("big/before", CONTENT))
        before_bytes = instance.peak_rss_bytes or 0
        info, sha256 = _put_big_object(bench.aws, key="big/object")
        took_ms = time_call_ms(instance, bench.event_of(info))
        grown_bytes = (instance.peak_rss_bytes or 0) - before_bytes
    finally:
        instance.close()
    if sha256 not in {row.get("sha256") for row in bench.scan()}:
        raise RuntimeError("the big object was not recorded right")
    return (
        f"An object of {info.size_bytes / MIB / 1024:.1f} GiB: recorded in {took_ms / 1000:.1f} s,"
        f" the worker's memory grew by {grown_bytes / MIB:.0f} MiB (goal: at most 64)"
    )


def _put_big_object(aws: LocalAws, *, key: str) -> tuple[ObjectInfo, str]:
    """Put it, holding no more than one part at a time; returns what S3 tells of it, and its sha256."""
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
