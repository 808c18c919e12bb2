"""What the user's function reads is measured whole, however it reads."""

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TransientError
from core.stream import MeasuredStream


def no_limit() -> None:
    """There is always time."""


@given(content=st.binary(max_size=2000), sizes=st.lists(st.integers(0, 700), max_size=8), closes=st.booleans())
def test_size_and_sha256_of_the_whole(content: bytes, sizes: list[int], closes: bool) -> None:
    """Read in any pieces, half, not at all, closed or not: size and sha256 are those of the whole."""
    stream = MeasuredStream(io.BytesIO(content), require_time=no_limit)
    reader = io.BufferedReader(stream, 64)

    seen = b"".join(reader.read(size) for size in sizes)
    if closes:
        reader.close()

    assert stream.finish(expected_bytes=len(content)) == hashlib.sha256(content).hexdigest()
    assert stream.size_bytes == len(content)
    assert content.startswith(seen)


def test_body_cut_short_is_the_moments_fault() -> None:
    """A body that ends early is not recorded as if it were the whole."""
    stream = MeasuredStream(io.BytesIO(b"1234"), require_time=no_limit)

    with pytest.raises(TransientError, match="4 of 5 bytes"):
        stream.finish(expected_bytes=5)


class Broken(io.BytesIO):
    """Gives some bytes, then breaks."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise TransientError("the connection broke")
        return super().read(2)


def test_swallowed_read_error_still_fails() -> None:
    """A function that catches a read error does not turn half a body into a whole one."""
    stream = MeasuredStream(Broken(b"1234"), require_time=no_limit)
    with pytest.raises(TransientError):
        io.BufferedReader(stream, 2).read()

    with pytest.raises(TransientError, match="the connection broke"):
        stream.finish(expected_bytes=2)


def test_text_and_lines_can_be_read() -> None:
    """The reader works under the library's text and line readers."""
    stream = MeasuredStream(io.BytesIO(b"a,b\n1,2\n"), require_time=no_limit)

    lines = list(io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8"))

    assert lines == ["a,b\n", "1,2\n"]
