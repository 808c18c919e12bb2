"""The Functions host's HTTP front: each request is one invocation of the app's HTTP function.

Source: "Azure Functions HTTP trigger" (230 s until the load balancer gives up) and the protocol's RpcHttp. Not here:
function keys (whoever asks is let in), several routes, cookies as a field of their own.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

from drills.azure.language_worker import FunctionFailedError
from drills.supervisor import LOOPBACK

TIMEOUT_S = 230.0
_OF_THE_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "expect")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. Names of headers in lower case; the values of one that came several times joined by commas."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def to_rpc(self, rpc: Any) -> Any:
        """The request as the host sends it to a worker that asks for raw bodies, as Microsoft's for Python does."""
        target = self.url.partition("://")[2].partition("/")[2]
        path, _, query = target.partition("?")
        http = rpc.RpcHttp(
            method=self.method,
            url=self.url,
            headers=self.headers,
            params={"path": unquote(path)},
            query=dict(parse_qsl(query, keep_blank_values=True)),
            body=rpc.TypedData(bytes=self.body),
        )
        return rpc.TypedData(http=http)


class HttpTrigger:
    """Serves from `start` to `stop`, on a loopback port of its own."""

    def __init__(self, ask: Callable[[HttpRequest], Any]) -> None:
        """`ask` invokes the function, gives what it returns as an RpcHttp, and raises FunctionFailedError."""
        self._server = _Server(ask)
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

    def __init__(self, ask: Callable[[HttpRequest], Any]) -> None:
        self.ask = ask
        super().__init__((LOOPBACK, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "chunked" in self.headers.get("Transfer-Encoding", "") or not length.isdigit():
            self.close_connection = True
            self._send(411, {}, b"")  # the stand-in's own limit
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        names = dict.fromkeys(name.lower() for name in self.headers)
        headers = {name: ",".join(self.headers.get_all(name, [])) for name in names}
        url = f"http://{headers.get('host', LOOPBACK)}{self.path}"
        try:
            answer = self.server.ask(HttpRequest(method=self.command, url=url, headers=headers, body=body))
            self._send(int(answer.status_code), answer.headers, _bytes_of(answer.body))
        except (FunctionFailedError, ValueError):
            self._send(500, {}, b"")  # the host tells nothing of it

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:  # which is the host's own
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the function has a log of its own."""


def _bytes_of(data: Any) -> bytes:
    match data.WhichOneof("data"):
        case "bytes":
            return bytes(data.bytes)
        case "string" | "json" as kind:
            return str(getattr(data, kind)).encode()
        case None:
            return b""
        case kind:
            raise ValueError(f"a body of the kind {kind}")
