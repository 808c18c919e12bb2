"""A stand-in for API Gateway's HTTP API: each HTTP request is one invocation of a Lambda function.

Source: API Gateway Developer Guide, "AWS Lambda proxy integrations for HTTP APIs" (payload format 2.0) and "Quotas for
HTTP APIs" (10 MB, 30 s). An answer that cannot be read, or an error of the function, is a 500; no free environment or
no answer in time a 503. Not here: authorizers, stages, CORS, logs, throttling (the fault proxy in front makes that).
"""

import base64
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from typing import Any
from urllib.parse import parse_qsl

from drills.aws.execution_environment import ACCOUNT_ID
from drills.aws.function import LambdaFunction, ThrottledError
from drills.aws.runtime_api import FunctionError
from drills.http_front import TOO_LARGE, HttpAnswer, HttpFront, HttpRequest, message

TIMEOUT_S = 30.0
BODY_LIMIT_BYTES = 10 * 1000 * 1000
# "Lambda quotas": 6 MB for a synchronous request, as JSON and with base64; the number is in the service's own error.
EVENT_LIMIT_BYTES = 6_291_456

_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")

SERVICE_UNAVAILABLE = message(503, "Service Unavailable")
INTERNAL_SERVER_ERROR = message(500, "Internal Server Error")


class HttpApi(HttpFront):
    """Invokes one function; from `start` to `stop`."""

    def __init__(self, function: LambdaFunction, *, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(self.answer, body_limit_bytes=BODY_LIMIT_BYTES)
        self._function = function
        self._timeout_s = timeout_s
        self._invoking = ThreadPoolExecutor(thread_name_prefix="http-api")

    def stop(self) -> None:
        super().stop()
        self._invoking.shutdown(wait=False, cancel_futures=True)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Invoke the function, and make an answer of what it gives."""
        payload = json.dumps(event_of(request)).encode()
        if len(payload) > EVENT_LIMIT_BYTES:
            return TOO_LARGE
        try:
            outcome = self._invoking.submit(self._function.invoke, payload).result(self._timeout_s).outcome
        except (ThrottledError, NotInTimeError):
            return SERVICE_UNAVAILABLE
        return INTERNAL_SERVER_ERROR if isinstance(outcome, FunctionError) else answer_of(outcome)


def event_of(request: HttpRequest) -> dict[str, Any]:
    """Return the event for a request. (Whether the real gateway decodes rawPath is not documented.)"""
    path, _, query = request.target.partition("?")
    headers, body = request.headers, request.body
    is_text = headers.get("content-type", "").lower().startswith(_TEXT_TYPES)
    now_ms = time.time_ns() // 1_000_000
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name: value for name, value in headers.items() if name != "cookie"},
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": "local",
            "domainName": headers.get("host", ""),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex[:16],
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_ms / 1000)),
            "timeEpoch": now_ms,
        },
        "isBase64Encoded": bool(body) and not is_text,
    }
    if query:
        pairs = parse_qsl(query, keep_blank_values=True)
        names = dict.fromkeys(name for name, _ in pairs)
        event["queryStringParameters"] = {n: ",".join(value for name, value in pairs if name == n) for n in names}
    if "cookie" in headers:
        event["cookies"] = headers["cookie"].split("; ")
    if body:
        event["body"] = body.decode(errors="replace") if is_text else base64.b64encode(body).decode()
    return event


def answer_of(outcome: bytes) -> HttpAnswer:
    """Read the function's response: `statusCode`, `headers`, `cookies`, `body`; anything else is a body of its own."""
    try:
        given = json.loads(outcome)
    except ValueError:
        return INTERNAL_SERVER_ERROR
    if not isinstance(given, dict) or "statusCode" not in given:
        return HttpAnswer(status=200, headers={"content-type": "application/json"}, body=outcome)
    try:
        text = str(given.get("body") or "")
        body = base64.b64decode(text, validate=True) if given.get("isBase64Encoded") else text.encode()
        headers = {str(name).lower(): str(value) for name, value in (given.get("headers") or {}).items()}
        return HttpAnswer(status=int(given["statusCode"]), headers=headers, body=body)
    except (ValueError, TypeError, AttributeError):
        return INTERNAL_SERVER_ERROR
