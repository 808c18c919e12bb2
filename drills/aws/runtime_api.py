"""Lambda's Runtime API for one execution environment: where a runtime fetches its invocations and leaves the results.

Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01), for
`runtime/invocation/next`, `…/response`, `…/error` and `runtime/init/error`. Not here: streamed responses, SnapStart's
`restore`, the extensions and telemetry APIs.
"""

import json
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from drills.supervisor import LOOPBACK

# Developer Guide, "Lambda quotas": 6 MB for a synchronous response; the exact number is in the service's error message.
RESPONSE_LIMIT_BYTES = 6_291_556

_API = "/2018-06-01/runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionError:
    """Why an invocation has no response: what Lambda returns with `X-Amz-Function-Error`."""

    error_type: str
    error_message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What the runtime is given: an event in JSON, and until when an answer counts."""

    request_id: str
    event: bytes
    deadline_at_ms: int


class RuntimeApi:
    """Serves one runtime with one invocation at a time, on a loopback port of its own.

    Attributes:
        outcome: Of the submitted event: the response in JSON, or the error; None so far.
        is_runtime_lost: The runtime was told, or said itself, that it cannot go on: it takes no further invocation.
    """

    def __init__(self, *, function_arn: str, timeout_s: float) -> None:
        """Start serving.

        Args:
            function_arn: What the handler sees as its own name.
            timeout_s: The function's timeout; it counts from when the runtime takes the invocation.
        """
        self.function_arn = function_arn
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._event: bytes | None = None
        self._taken: Invocation | None = None
        self.outcome: bytes | FunctionError | None = None
        self._is_closed = False
        self.is_runtime_lost = False
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def address(self) -> str:
        """Value of AWS_LAMBDA_RUNTIME_API."""
        return f"{LOOPBACK}:{self._server.server_port}"

    def submit(self, event: bytes) -> None:
        """Offer an event to the runtime, which takes it as soon as it is initialised and free."""
        with self._changed:
            self._event, self._taken, self.outcome = event, None, None
            self._changed.notify_all()

    def wait_taken(self, timeout_s: float) -> bool:
        """Whether the runtime has taken the submitted event, or reported that it never will."""
        with self._changed:
            return self._changed.wait_for(lambda: self._taken is not None or self.outcome is not None, timeout_s)

    def wait_finished(self, timeout_s: float) -> bool:
        """Whether there is an outcome."""
        with self._changed:
            return self._changed.wait_for(lambda: self.outcome is not None, timeout_s)

    def close(self) -> None:
        """Stop serving; a waiting runtime loses its connection."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> Invocation | None:
        """For the server: wait for an event; None when the environment is closed first."""
        with self._changed:
            self._changed.wait_for(lambda: self._event is not None or self._is_closed)
            if self._event is None:
                return None
            deadline_at_ms = int((time.time() + self._timeout_s) * 1000)
            self._taken = Invocation(request_id=str(uuid.uuid4()), event=self._event, deadline_at_ms=deadline_at_ms)
            self._event = None
            self._changed.notify_all()
            return self._taken

    def finish(self, request_id: str, outcome: bytes | FunctionError) -> bool:
        """For the server: accept the running invocation's outcome; False for any other request id."""
        with self._changed:
            if self._taken is None or self._taken.request_id != request_id or self.outcome is not None:
                return False
            self.outcome = outcome
            self._changed.notify_all()
            return True

    def fail_initialisation(self, error: FunctionError) -> None:
        """For the server: the runtime could not load the handler."""
        with self._changed:
            self.is_runtime_lost = True
            self.outcome = error
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: RuntimeApi) -> None:
        self.api = api
        super().__init__((LOOPBACK, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a defect; a worker that was killed just loses its connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Translates HTTP to the calls of `RuntimeApi`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet; otherwise delayed acknowledgements cost 40 ms each
    server: _Server

    def do_GET(self) -> None:
        if self.path != f"{_API}/invocation/next":
            self._answer(HTTPStatus.NOT_FOUND, _error_body("NotFound", self.path))
            return
        invocation = self.server.api.take()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_at_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.server.api.function_arn,
            "Lambda-Runtime-Trace-Id": _trace_id(),
        }
        self._answer(HTTPStatus.OK, invocation.event, headers)

    def do_POST(self) -> None:
        body_bytes = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(body_bytes, RESPONSE_LIMIT_BYTES))
        self._discard(body_bytes - len(body))
        match self.path.removeprefix(_API).split("/"):
            case ["", "init", "error"]:
                self.server.api.fail_initialisation(_parse_error(body))
                self._answer(HTTPStatus.ACCEPTED, b'{"status":"OK"}')
            case ["", "invocation", request_id, "error"]:
                self._finish(request_id, _parse_error(body))
            case ["", "invocation", request_id, "response"] if body_bytes > RESPONSE_LIMIT_BYTES:
                self._refuse_large_response(request_id)
            case ["", "invocation", request_id, "response"]:
                self._finish(request_id, body)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, _error_body("NotFound", self.path))

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the worker has a log of its own."""

    def _finish(self, request_id: str, outcome: bytes | FunctionError) -> None:
        if self.server.api.finish(request_id, outcome):
            self._answer(HTTPStatus.ACCEPTED, b'{"status":"OK"}')
        else:
            self._answer(HTTPStatus.BAD_REQUEST, _error_body("InvalidRequestID", request_id))

    def _refuse_large_response(self, request_id: str) -> None:
        message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
        error = FunctionError(error_type="Function.ResponseSizeTooLarge", error_message=message)
        self.server.api.is_runtime_lost = True
        self.server.api.finish(request_id, error)
        self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _error_body(error.error_type, message))

    def _discard(self, size_bytes: int) -> None:
        while size_bytes > 0:
            chunk = self.rfile.read(min(size_bytes, 1 << 20))
            if not chunk:
                return
            size_bytes -= len(chunk)

    def _answer(self, status: HTTPStatus, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _parse_error(body: bytes) -> FunctionError:
    """Read `{"errorMessage": …, "errorType": …, "stackTrace": […]}`, which a runtime posts."""
    fields = json.loads(body)
    return FunctionError(error_type=fields["errorType"], error_message=fields["errorMessage"])


def _error_body(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def _trace_id() -> str:
    """Return an X-Ray trace header that is not sampled (AWS X-Ray Developer Guide, "Tracing header")."""
    return f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0"
