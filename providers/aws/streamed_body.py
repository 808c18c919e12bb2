"""The body of an object, as it comes from S3."""

from typing import Any

from providers.aws.errors import SDK_ERRORS, translate


class StreamedBody:
    """A streamed answer whose errors are ours."""

    def __init__(self, body: Any, *, subject: str) -> None:
        self._body = body
        self._subject = subject

    def read(self, size: int = -1, /) -> bytes:
        try:
            chunk: bytes = self._body.read(None if size < 0 else size)
        except SDK_ERRORS as error:
            raise translate(error, operation="S3 GetObject, its body,", subject=self._subject) from error
        return chunk
