"""A stand-in for API Gateway's HTTP API: each HTTP request is one invocation of a Lambda function.

Source: API Gateway Developer Guide, "AWS Lambda proxy integrations for HTTP APIs" (payload format 2.0) and "Quotas for
HTTP APIs" (10 MB, 30 s). An answer that cannot be read, or an error of the function, is a 500; no free environment or
no answer in time a 503. Not here: authorizers, stages, CORS, logs, throttling (the fault proxy in front makes that).
"""

import base64
import json
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from drills.aws.execution_environment import ACCOUNT_ID
from drills.aws.function import LambdaFunction, ThrottledError
from drills.aws.runtime_api import FunctionError
from drills.supervisor import LOOPBACK

TIMEOUT_S = 30.0
BODY_LIMIT_BYTES = 10 * 1000 * 1000
# "Lambda quotas": 6 MB for a synchronous request, as JSON and with base64; the number is in the service's own error.
EVENT_LIMIT_BYTES = 6_291_456

_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
_OF_THE_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "expect")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One answer; of headers with one name the last one counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _message(status: int, text: str) -> HttpAnswer:
    """An answer of the gateway's own."""
    body = json.dumps({"message": text}).encode()
    return HttpAnswer(status=status, headers={"content-type": "application/json"}, body=body)


SERVICE_UNAVAILABLE = _message(503, "Service Unavailable")
INTERNAL_SERVER_ERROR = _message(500, "Internal Server Error")
TOO_LARGE = _message(413, "Request Entity Too Large")


class HttpApi:
    """Serves from `start` to `stop`, on a loopback port of its own."""

    def __init__(self, function: LambdaFunction, *, timeout_s: float = TIMEOUT_S) -> None:
        self._function = function
        self._timeout_s = timeout_s
        self._invoking = ThreadPoolExecutor(thread_name_prefix="http-api")
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop serving. What runs in the function is left to its owner."""
        self._server.shutdown()
        self._server.server_close()
        self._invoking.shutdown(wait=False, cancel_futures=True)

    def answer(self, event: Mapping[str, Any]) -> HttpAnswer:
        """For the server: invoke the function, and make an answer of what it gives."""
        payload = json.dumps(event).encode()
        if len(payload) > EVENT_LIMIT_BYTES:
            return TOO_LARGE
        try:
            outcome = self._invoking.submit(self._function.invoke, payload).result(self._timeout_s).outcome
        except (ThrottledError, NotInTimeError):
            return SERVICE_UNAVAILABLE
        return INTERNAL_SERVER_ERROR if isinstance(outcome, FunctionError) else answer_of(outcome)


def event_of(method: str, target: str, headers: Mapping[str, str], body: bytes, *, source_ip: str) -> dict[str, Any]:
    """Return the event for a request.

    Args:
        target: Path and query as they were sent. (Whether the real one decodes rawPath is not documented.)
        headers: Names in lower case; the values of one that came several times joined by commas.
    """
    path, _, query = target.partition("?")
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
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api: HttpApi) -> None:
        self.api = api
        super().__init__((LOOPBACK, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "chunked" in self.headers.get("Transfer-Encoding", "") or not length.isdigit():
            self._send(_message(411, "Length Required"), is_last=True)  # the stand-in's own limit
            return
        if int(length) > BODY_LIMIT_BYTES:
            self._send(TOO_LARGE, is_last=True)
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        names = dict.fromkeys(name.lower() for name in self.headers)
        headers = {name: ",".join(self.headers.get_all(name, [])) for name in names}
        event = event_of(self.command, self.path, headers, body, source_ip=self.client_address[0])
        self._send(self.server.api.answer(event))

    def _send(self, answer: HttpAnswer, *, is_last: bool = False) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name not in _OF_THE_CONNECTION:  # which is the gateway's own
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        if is_last:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the function has a log of its own."""
