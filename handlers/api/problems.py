"""Errors as problem documents (RFC 9457). They name fields and limits, and never repeat what was sent."""

import json
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response

from core.errors import StepError, UploadRejectedError
from core.ingest import NotEnoughCopiesError
from handlers.peers.fields import FieldError
from handlers.peers.problem_types import PREFIX, PROBLEMS

_RETRY_AFTER_S = 5


class Problem(Exception):
    """What is wrong with a request, by the name of its type."""

    def __init__(
        self, name: str, detail: str = "", *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(name)
        self.name = name
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members


def problem_of(error: StepError | FieldError) -> Problem:
    """The problem that an error of the core, or of reading a field, is to whoever asked."""
    match error:
        case FieldError():
            return Problem("bad-request", str(error))
        case UploadRejectedError():
            return Problem("other-upload", "use a new idempotency key for another upload")
        case NotEnoughCopiesError():
            return Problem(
                "not-enough-copies",
                copies_wanted=error.wanted,
                copies_stood=sorted(error.stood),
                copies_absent=sorted(error.absent),
            )
        case _:
            return Problem("unavailable")


def answer_to(problem: Problem) -> Response:
    """The problem document, with the headers that go with its status."""
    status, title = PROBLEMS[problem.name]
    document = {"type": PREFIX + problem.name, "title": title, "status": status}
    if problem.detail:
        document["detail"] = problem.detail
    headers = {"Cache-Control": "no-store", **problem.headers}
    if status == 503:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = json.dumps(document | problem.members)
    return Response(body, status=status, content_type="application/problem+json", headers=headers)
