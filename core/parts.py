"""Into how many parts a large upload is cut, and what its parts are called where a cloud keeps them as objects.

presign_parts ──> the client PUTs each part, again if need be ──> join_parts ──> one object, as if put at once
"""

import hashlib
from collections.abc import Sequence

from core.errors import UploadRejectedError
from core.upload import OWN_PREFIX

PART_MIN_BYTES = 8 * 1024 * 1024  # S3 takes no fewer than 5 MiB but for the last one ("Multipart upload limits")
PART_MAX_COUNT = 32  # Cloud Storage composes so many ("Objects: compose"); S3 takes 10,000 parts, Azure 50,000 blocks
PART_MAX_BYTES = 4000 * 1024 * 1024  # Azure ("Put Block": 4,000 MiB); a part on S3 may have 5 GiB

SIZE_MAX_BYTES = PART_MAX_COUNT * PART_MAX_BYTES


def part_bytes_for(size_bytes: int) -> int:
    """The size of each part but the last, so that every cloud can join them."""
    return max(PART_MIN_BYTES, -(-size_bytes // PART_MAX_COUNT))


def part_sizes(size_bytes: int, part_bytes: int) -> list[int]:
    """The size of each part in its order, in bytes. An upload of no bytes has none."""
    return [min(part_bytes, size_bytes - start) for start in range(0, size_bytes, part_bytes)]


def part_key(key: str, number: int) -> str:
    """Where a cloud without parts of its own keeps part `number`, from 1. No event of it is anybody's business.

    It hangs on the object's key alone, so that nobody can have another object's parts joined.
    """
    return f"{OWN_PREFIX}parts/{hashlib.sha256(key.encode()).hexdigest()}/{number}"


def check_parts(found_bytes: Sequence[int | None], *, size_bytes: int) -> None:
    """Refuse to join what is not the whole upload.

    Args:
        found_bytes: The size of each part in its order; None for one that does not stand.

    Raises:
        UploadRejectedError: Names the number of the first part that is missing.
    """
    for number, part in enumerate(found_bytes, start=1):
        if part is None:
            raise UploadRejectedError(f"part {number} is missing")
    total_bytes = sum(part or 0 for part in found_bytes)
    if total_bytes != size_bytes:
        raise UploadRejectedError(f"the parts have {total_bytes} of {size_bytes} bytes")
