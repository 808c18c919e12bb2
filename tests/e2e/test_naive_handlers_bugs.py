"""The bugs of the handler that tutorials print, each shown to be impossible here, on the local AWS."""

import hashlib
from pathlib import Path

from core.record import State
from tests.e2e.bucket import Bucket, notification

MIB = 1024 * 1024


def test_no_success_is_returned_after_an_exception(bucket: Bucket, mark: str) -> None:
    """`finally: return` makes a failed upload look done. Here it is neither recorded nor forgotten: it is parked."""
    bucket.put(f"poison/{mark}", b"x")

    [record] = bucket.wait_for(mark, count=1, state=State.PARKED)

    assert record.sha256 == ""
    assert bucket.aws.parked_queue.message_count > 0


def test_keys_are_decoded(bucket: Bucket, mark: str) -> None:
    """`Key=record["s3"]["object"]["key"]` asks S3 for `red+flower.jpg`, which does not exist."""
    bucket.put(f"{mark}/red flower.jpg", b"red")

    [record] = bucket.wait_for(mark, count=1)

    assert record.upload.key == f"{mark}/red flower.jpg"


def test_every_record_of_an_event_is_handled(bucket: Bucket, mark: str) -> None:
    """`event["Records"][0]` drops all uploads but the first."""
    contents = {f"{mark}/{n}": str(n).encode() for n in range(5)}
    for key, content in contents.items():
        bucket.put(key, content)
    bucket.wait_for(mark, count=5)
    records = [bucket.created(k, etag=hashlib.md5(c).hexdigest(), size_bytes=len(c)) for k, c in contents.items()]

    bucket.send(notification(*records))

    assert len(bucket.wait_for(mark, count=10)) == 10  # the same objects again, by eTag instead of version


def test_a_key_never_becomes_a_path(bucket: Bucket, mark: str, tmp_path: Path) -> None:
    """`download_file(bucket, key, "/tmp/" + key)` writes wherever the key points."""
    target = tmp_path / mark
    key = "/".join([".."] * 12) + str(target)

    bucket.put(key, b"outside")

    bucket.wait_for(mark, count=1)
    assert not target.exists()


def test_no_object_is_held_whole_on_disk_or_in_memory(bucket: Bucket, mark: str) -> None:
    """Case 9: a 256 MiB object costs the worker at most 64 MiB, and leaves nothing in its temporary folder."""
    bucket.put(f"{mark}/small", b"x")
    bucket.wait_for(mark, count=1)
    before_bytes = bucket.peak_rss_bytes()
    chunk = bytes(range(256)) * 4096 * 8
    s3, count = bucket.aws.s3, 32
    where = {"Bucket": bucket.aws.bucket, "Key": f"{mark}/big"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**where, PartNumber=n, Body=chunk)["ETag"]}
        for n in range(1, count + 1)
    ]

    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})

    big = next(r for r in bucket.wait_for(mark, count=2) if r.upload.key.endswith("big"))
    assert big.size_bytes == 256 * MIB
    assert big.sha256 == hashlib.sha256(chunk * count).hexdigest()
    assert bucket.peak_rss_bytes() - before_bytes <= 64 * MIB
    assert list(Path(bucket.aws.environment["TMPDIR"]).iterdir()) == []
