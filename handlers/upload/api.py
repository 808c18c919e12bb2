"""One cloud's API as the upload client calls it: what each answer means for the upload, and for the next try."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.ports import Readable
from handlers.peers.http_call import NoAnswerError, NoConnectionError
from handlers.upload.clouds import CloudState
from handlers.upload.http import Answer, send

# The upload is to blame: the answer would be the same everywhere.
_FINAL_STATUSES = (400, 411, 413, 415, 422)
# The body is not what was declared: on the way, unless the file changed, and that its reader tells.
_DAMAGED = ("digest-mismatch", "short-body")
# The cloud is not set up for us; a later try will not change that.
_REFUSALS = {401: "does not accept the API key", 403: "refuses us", 404: "has no such API", 405: "has no such API"}


class UploadRefusedError(Exception):
    """The upload itself was refused: no cloud will take it."""


class TooLargeError(Exception):
    """The content must be presigned. `limit_bytes` is what this cloud takes itself."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("the content is too large for the API")
        self.limit_bytes = limit_bytes


class CloudFailedError(Exception):
    """This cloud did not take the upload; another one may.

    Attributes:
        retry_after_s: As it asked, or None.
        failed: The cloud to blame, which the next one is told; "" if none is.
        stood: Clouds in which the object was found to stand, where that was the question; else None.
        absent: Likewise, clouds in which it was found not to stand.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: int | None = None,
        failed: str = "",
        stood: tuple[str, ...] | None = None,
        absent: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.failed = failed
        self.stood = stood
        self.absent = absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How the clouds are called.

    Attributes:
        api_key: "" where they ask for none.
        timeout_s: How long a cloud may be silent.
    """

    api_key: str = field(repr=False)
    timeout_s: float

    def post_json(
        self, cloud: CloudState, path: str, given: Mapping[str, Any], *, headers: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """POST a JSON object; the one that is answered. Errors as of `call`."""
        body = json.dumps(given).encode()
        headers = {"Content-Type": "application/json", **headers}
        return self.call(cloud, "POST", path, headers=headers, body=body, size_bytes=len(body)).fields

    def call(
        self,
        cloud: CloudState,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Readable = b"",
        size_bytes: int = 0,
    ) -> Answer:
        """Send a request to a cloud.

        Raises:
            UploadRefusedError: The upload is to blame.
            TooLargeError: Likewise; there is another way.
            CloudFailedError: Anything else but success. `cloud.refusal` is set where no later try will help.
        """
        if self.api_key:
            headers = {**headers, "Authorization": f"Bearer {self.api_key}"}
        try:
            answer = send(
                method,
                f"{cloud.url}{path}",
                headers=headers,
                body=body,
                size_bytes=size_bytes,
                timeout_s=self.timeout_s,
            )
        except NoConnectionError as error:
            raise CloudFailedError(f"no connection ({error})", failed=cloud.name) from error
        except NoAnswerError as error:
            raise CloudFailedError(f"no answer ({error})", failed=cloud.name) from error
        if 200 <= answer.status < 300:
            return answer
        raise _judge(cloud, answer)


def _judge(cloud: CloudState, answer: Answer) -> Exception:
    said = f"{answer.status} {answer.problem}".rstrip()
    limit_bytes = answer.fields.get("limit_bytes")
    if answer.problem == "too-large" and type(limit_bytes) is int:
        return TooLargeError(limit_bytes)
    if answer.status in _FINAL_STATUSES and answer.problem not in ("", *_DAMAGED):
        detail = answer.fields.get("detail") or answer.fields.get("title") or ""
        return UploadRefusedError(f"{cloud.title} answered {said}: {_line(detail)}")
    if answer.status in _REFUSALS:
        cloud.refusal = f"{_REFUSALS[answer.status]} ({said})"
        return CloudFailedError(cloud.refusal)
    if answer.problem == "not-enough-copies":  # other clouds are to blame
        stood, absent = answer.fields.get("copies_stood"), answer.fields.get("copies_absent")
        return CloudFailedError(
            said,
            retry_after_s=answer.retry_after_s,
            stood=tuple(map(str, stood)) if isinstance(stood, list) else None,
            absent=tuple(map(str, absent)) if isinstance(absent, list) else (),
        )
    failed = cloud.name if answer.status >= 500 else ""
    return CloudFailedError(said, retry_after_s=answer.retry_after_s, failed=failed)


def _line(text: object) -> str:
    return "".join(char if char.isprintable() else "�" for char in str(text))[:300]
