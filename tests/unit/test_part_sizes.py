"""Into how many parts an upload is cut, for sizes up to the largest that every cloud can join."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UploadRejectedError
from core.parts import (
    PART_MAX_BYTES,
    PART_MAX_COUNT,
    PART_MIN_BYTES,
    SIZE_MAX_BYTES,
    check_parts,
    part_bytes_for,
    part_key,
    part_sizes,
)
from core.upload import OWN_PREFIX

MIB = 1024 * 1024
S3_PART_MIN_BYTES, S3_PART_MAX_BYTES, S3_PART_MAX_COUNT = 5 * MIB, 5 * 1024 * MIB, 10_000
AZURE_BLOCK_MAX_BYTES, AZURE_BLOCK_MAX_COUNT = 4000 * MIB, 50_000
GOOGLE_COMPOSE_MAX_COUNT = 32


@given(size_bytes=st.integers(1, SIZE_MAX_BYTES))
def test_every_cloud_can_join(size_bytes: int) -> None:
    """Whatever the size, the parts are within each cloud's limits, and are the whole upload."""
    sizes = part_sizes(size_bytes, part_bytes_for(size_bytes))

    assert sum(sizes) == size_bytes
    assert 1 <= len(sizes) <= min(S3_PART_MAX_COUNT, AZURE_BLOCK_MAX_COUNT, GOOGLE_COMPOSE_MAX_COUNT)
    assert max(sizes) <= min(S3_PART_MAX_BYTES, AZURE_BLOCK_MAX_BYTES)
    assert all(size >= S3_PART_MIN_BYTES for size in sizes[:-1])


@pytest.mark.parametrize(
    ("size_bytes", "part_bytes", "part_count"),
    [
        (1, PART_MIN_BYTES, 1),
        (PART_MIN_BYTES, PART_MIN_BYTES, 1),
        (PART_MIN_BYTES + 1, PART_MIN_BYTES, 2),
        (PART_MAX_COUNT * PART_MIN_BYTES, PART_MIN_BYTES, PART_MAX_COUNT),
        (PART_MAX_COUNT * PART_MIN_BYTES + 1, PART_MIN_BYTES + 1, PART_MAX_COUNT),
        (SIZE_MAX_BYTES, PART_MAX_BYTES, PART_MAX_COUNT),
    ],
)
def test_parts_grow_when_their_number_cannot(size_bytes: int, part_bytes: int, part_count: int) -> None:
    """Parts have 8 MiB until 32 of them are too few; then they grow."""
    assert part_bytes_for(size_bytes) == part_bytes
    assert len(part_sizes(size_bytes, part_bytes)) == part_count


def test_part_keys_are_our_own_and_differ() -> None:
    """A part stands among Sluice's own objects, and each key and number has a place of its own."""
    keys = [part_key(key, number) for key in ("a", "a/1", "é" * 512) for number in (1, 2, 11)]

    assert all(key.startswith(OWN_PREFIX) and len(key) <= 1024 for key in keys)
    assert len(set(keys)) == len(keys)


def test_first_missing_part_is_named() -> None:
    """Of several missing parts the first is named, by its number from 1."""
    with pytest.raises(UploadRejectedError, match="part 2 is missing"):
        check_parts([5, None, None], size_bytes=15)


@pytest.mark.parametrize("found_bytes", [[5, 5], [5, 5, 6], [5, 5, 0]])
def test_parts_of_another_size_are_refused(found_bytes: list[int]) -> None:
    """More or fewer bytes than the upload has are not joined."""
    with pytest.raises(UploadRejectedError, match="15 bytes"):
        check_parts(found_bytes, size_bytes=15)
