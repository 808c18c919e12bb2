"""A small HTTP(S) client of the drill's own: one request, one connection, one time limit for all of it."""

import http.client
import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_ANSWER_MAX_BYTES = 1024 * 1024


class NoAnswerError(Exception):
    """Nothing usable came back in time. The message says why in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object in the body; empty if it has none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def ask(method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", until_s: float) -> Answer:
    """Send one request.

    Args:
        until_s: When the client gives it up, by the monotonic clock.

    Raises:
        NoAnswerError: No connection, no answer in time, or a broken one.
    """
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with closing(kind(parts.netloc, timeout=_left_s(until_s))) as connection:
        try:
            connection.request(method, target, body=body or None, headers=_with_length(headers, method, body))
            if connection.sock is not None:
                connection.sock.settimeout(_left_s(until_s))
            answer = connection.getresponse()
            content = answer.read(_ANSWER_MAX_BYTES)
        except TimeoutError as error:
            raise NoAnswerError("no answer in time") from error
        except ConnectionRefusedError as error:
            raise NoAnswerError("refused") from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"broken: {type(error).__name__}") from error
    lowered = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(status=answer.status, headers=lowered, body=content)


def _left_s(until_s: float) -> float:
    return max(0.001, until_s - time.monotonic())


def _with_length(headers: Mapping[str, str], method: str, body: bytes) -> dict[str, str]:
    """Also of an empty body, without which the API asks for a length."""
    has_length = any(name.lower() == "content-length" for name in headers)
    return {**headers, **({} if has_length or method == "GET" else {"Content-Length": str(len(body))})}
