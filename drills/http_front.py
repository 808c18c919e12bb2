"""The HTTP side of a stand-in that makes an invocation of each request: AWS's HTTP API, Azure's Functions host."""

import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from drills.supervisor import LOOPBACK, Runs

_OF_THE_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "expect")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request.

    Attributes:
        target: Path and query as they were sent.
        headers: Names in lower case; the values of one that came several times joined by commas.
        source_ip: Of the client.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str = LOOPBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One answer; of headers with one name the last one counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def message(status: int, text: str) -> HttpAnswer:
    """An answer of the gateway's own."""
    body = json.dumps({"message": text}).encode()
    return HttpAnswer(status=status, headers={"content-type": "application/json"}, body=body)


LENGTH_REQUIRED = message(411, "Length Required")  # the stand-ins' own limit
TOO_LARGE = message(413, "Request Entity Too Large")


class HttpFront(Runs):
    """Serves from `start` to `stop`, on a loopback port of its own."""

    def __init__(self, answer: Callable[[HttpRequest], HttpAnswer], *, body_limit_bytes: int = sys.maxsize) -> None:
        self._server = _Server(answer, body_limit_bytes)
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[HttpRequest], HttpAnswer], body_limit_bytes: int) -> None:
        self.answer, self.body_limit_bytes = answer, body_limit_bytes
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
            self._send(LENGTH_REQUIRED, is_last=True)
            return
        if int(length) > self.server.body_limit_bytes:
            self._send(TOO_LARGE, is_last=True)
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        names = dict.fromkeys(name.lower() for name in self.headers)
        headers = {name: ",".join(self.headers.get_all(name, [])) for name in names}
        request = HttpRequest(
            method=self.command, target=self.path, headers=headers, body=body, source_ip=self.client_address[0]
        )
        self._send(self.server.answer(request))

    def _send(self, answer: HttpAnswer, *, is_last: bool = False) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _OF_THE_CONNECTION:  # which is the gateway's own
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
