"""Google's APIs over HTTP and JSON, with one connection pool for all that is kept while the function is warm.

Not Google's own client libraries. CPU time of importing, as a share of what their three clients (Storage, Firestore,
Pub/Sub) cost together (measured 2026-11-24, beyond a bare interpreter; docs/decisions.md):

    the three clients           1.00   73 MiB
    google-cloud-storage alone  0.56   56 MiB
    urllib3 and google-auth     0.31   35 MiB   this module
      … of which urllib3        0.18            all there is before a token is needed

It also makes retries visible: a call is sent at most twice, and whoever called learns of it.

The endpoints are Google's own unless STORAGE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST or FIRESTORE_EMULATOR_HOST say
otherwise, as in Google's libraries; nothing is authenticated there.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from providers.gcp.errors import CallError
from providers.gcp.identity import Identity
from providers.gcp.signing import Signer

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager
    from urllib3.exceptions import HTTPError

Body = bytes | Iterable[bytes]

_CONNECT_TIMEOUT_S = 2
_READ_TIMEOUT_S = 10.0  # without a byte
_ATTEMPT_COUNT = 2  # one hiccup; longer waits are the queue's (core.retry)
_CONNECTION_COUNT = 64  # as many as a batch may have threads (SLUICE_CONCURRENCY); made when needed
_XML_CODE = re.compile(rb"<Code>(\w+)</Code>")


class GoogleApi:
    """One API. Threads may share it."""

    def __init__(self, url: str, *, token: Callable[[], str]) -> None:
        """`token` gives an access token, or "" where none is needed."""
        self.url = url
        self._token = token

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        read_timeout_s: float = _READ_TIMEOUT_S,
    ) -> Any:
        """Send and receive JSON.

        Raises:
            CallError: Also for an answer that is no JSON.
        """
        content = b"" if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        with self.send(
            method, path, query=query, headers=headers, make_body=lambda: content, read_timeout_s=read_timeout_s
        ) as answer:
            return read_json(answer)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        make_body: Callable[[], Body] = bytes,
        read_timeout_s: float = _READ_TIMEOUT_S,
    ) -> "BaseHTTPResponse":
        """Send a request, twice if the connection breaks; gives an answer whose body is still to be read.

        Raises:
            CallError: There was no answer, or not one of success.
        """
        url = self.url + path + (f"?{urlencode(query)}" if query else "")
        token = self._token()
        headers = {**(headers or {}), **({"authorization": f"Bearer {token}"} if token else {})}
        for attempt in range(1, _ATTEMPT_COUNT + 1):
            try:
                answer = _send_once(method, url, headers, make_body(), read_timeout_s)
            except CallError as error:
                error.was_retried = attempt > 1
                if attempt == _ATTEMPT_COUNT or error.status or not error.may_have_landed or "Timeout" in error.code:
                    raise
                continue
            if answer.status >= 300:
                raise _refusal(answer, was_retried=attempt > 1)
            return answer
        raise AssertionError("the last attempt returns or raises")


def read_json(answer: "BaseHTTPResponse") -> Any:
    """The rest of an answer, as JSON; {} if it is empty."""
    from urllib3.exceptions import HTTPError

    try:
        content = answer.read()
        return json.loads(content) if content.strip() else {}
    except (HTTPError, ValueError) as error:
        raise CallError(type(error).__name__, may_have_landed=True, is_about_the_moment=True) from error


def _send_once(
    method: str, url: str, headers: Mapping[str, str], body: Body, read_timeout_s: float
) -> "BaseHTTPResponse":
    import urllib3
    from urllib3.exceptions import HTTPError

    try:
        return _pool().urlopen(
            method,
            url,
            body=body or None,
            headers=headers,
            timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT_S, read=read_timeout_s),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
    except HTTPError as error:
        raise _no_answer(error) from error


def _no_answer(error: "HTTPError") -> CallError:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError, ReadTimeoutError

    never_sent = isinstance(error, NewConnectionError | ConnectTimeoutError)
    broke = isinstance(error, ProtocolError | ReadTimeoutError)
    return CallError(type(error).__name__, may_have_landed=not never_sent, is_about_the_moment=broke and not never_sent)


def _refusal(answer: "BaseHTTPResponse", *, was_retried: bool) -> CallError:
    from urllib3.exceptions import HTTPError

    content = b""
    with answer:
        try:
            content = answer.read(64 * 1024)
        except HTTPError as error:  # the status is known, and the code is a courtesy
            return CallError(type(error).__name__, status=answer.status, was_retried=was_retried)
    return CallError(_code_in(content), status=answer.status, was_retried=was_retried)


def _code_in(content: bytes) -> str:
    """Google's code in an error's body: JSON of the gRPC kind, JSON of Cloud Storage, or XML."""
    found = _XML_CODE.search(content)
    if found:
        return found[1].decode()
    try:
        payload = json.loads(content)
    except ValueError:
        return ""
    if isinstance(payload, list) and payload:  # a streamed answer is a list
        payload = payload[0]
    error = payload.get("error") if isinstance(payload, dict) else None
    if not isinstance(error, dict):
        return ""
    reasons = error.get("errors") or [{}]
    return str(error.get("status") or reasons[0].get("reason") or "")


@cache
def _pool() -> "PoolManager":
    import urllib3

    return urllib3.PoolManager(num_pools=8, maxsize=_CONNECTION_COUNT)


def warm() -> None:
    """Import now what the first call would import."""
    import google.auth.transport.urllib3  # noqa: F401

    _pool()


def _auth_request() -> Any:
    from google.auth.transport.urllib3 import Request

    return Request(_pool())  # type: ignore[no-untyped-call]


_credentials = Identity(make_request=_auth_request)


def storage() -> GoogleApi:
    return _api("https://storage.googleapis.com", "STORAGE_EMULATOR_HOST")


def firestore() -> GoogleApi:
    return _api("https://firestore.googleapis.com", "FIRESTORE_EMULATOR_HOST")


def pubsub() -> GoogleApi:
    return _api("https://pubsub.googleapis.com", "PUBSUB_EMULATOR_HOST")


def monitoring() -> GoogleApi:
    """Cloud Monitoring, which alone knows how much a subscription holds. No emulator; Pub/Sub's has to stand in."""
    return _api("https://monitoring.googleapis.com", "PUBSUB_EMULATOR_HOST")


def signer() -> Signer:
    return _credentials


def _api(url: str, emulator_variable: str) -> GoogleApi:
    emulator = os.environ.get(emulator_variable, "")
    if not emulator:
        return GoogleApi(url, token=_credentials.token)
    return emulated(emulator)


def emulated(address: str) -> GoogleApi:
    """An API on another address ("host:port" or a URL), which needs no token."""
    return GoogleApi(address.rstrip("/") if "://" in address else f"http://{address}", token=str)
