"""A server that speaks one of Google's APIs twice: as gRPC, and as JSON over HTTP/1.1 on a second port.

Requests and answers are the protobuf classes of Google's client packages, and their JSON is protobuf's own, so names,
numbers as text and base64 are Google's and not our idea of them. State belongs to the services, in SQLite.
"""

import json
import re
import sqlite3
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import grpc
from google.protobuf import json_format

from drills.supervisor import LOOPBACK

_GRPC_THREADS = 32
# "HTTP mapping" of google/rpc/code.proto.
_HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "UNIMPLEMENTED": 501,
}


class RpcError(Exception):
    """The call's own error; `status` is a name of google.rpc.Code."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """One method.

    Attributes:
        service: "google.pubsub.v1.Publisher"
        request: Protobuf class; `answer` too.
        run: Gives an answer, or, of a streaming method, an iterator of answers.
        http: Method and a regular expression of the path, whose named groups are fields of the request.
    """

    service: str
    name: str
    request: Any
    answer: Any
    run: Callable[[Any], Any]
    http: tuple[str, str]
    is_streaming: bool = False


class Database:
    """One SQLite file and one lock. What was committed survives a kill of the process."""

    def __init__(self, path: Path, tables: str) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.executescript(f"pragma journal_mode = wal; pragma synchronous = normal; {tables}")
        self._lock = RLock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in it happens, or nothing. May be nested; the outermost one counts."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("begin immediate")
            try:
                yield self._connection
                self._connection.execute("commit")
            except BaseException:
                self._connection.execute("rollback")
                raise

    def close(self) -> None:
        self._connection.close()


def serve(
    rpcs: list[Rpc],
    *,
    grpc_port: int,
    http_port: int,
    extra_get: Callable[[str, Mapping[str, str]], Any],
) -> None:
    """Serve until the process ends.

    Args:
        extra_get: Answers GETs that are no method: takes path and query, gives JSON, or None for an unknown path.
    """
    # Without so_reuseport two servers could share a port and each get half of the calls.
    server = grpc.server(ThreadPoolExecutor(_GRPC_THREADS), options=[("grpc.so_reuseport", 0)])
    for service in {rpc.service for rpc in rpcs}:
        handlers = {rpc.name: _grpc_handler(rpc) for rpc in rpcs if rpc.service == service}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
    server.add_insecure_port(f"{LOOPBACK}:{grpc_port}")
    server.start()
    _HttpServer(http_port, rpcs, extra_get).serve_forever()


def _grpc_handler(rpc: Rpc) -> Any:
    def run(request: Any, context: Any) -> Any:
        try:
            return rpc.run(request)
        except RpcError as error:
            context.abort(grpc.StatusCode[error.status], str(error))

    def run_stream(request: Any, context: Any) -> Any:
        yield from run(request, context)

    coders = {
        "request_deserializer": rpc.request.FromString,
        "response_serializer": rpc.answer.SerializeToString,
    }
    if rpc.is_streaming:
        return grpc.unary_stream_rpc_method_handler(run_stream, **coders)
    return grpc.unary_unary_rpc_method_handler(run, **coders)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, rpcs: list[Rpc], extra_get: Callable[[str, Mapping[str, str]], Any]) -> None:
        super().__init__((LOOPBACK, port), _HttpHandler)
        self.routes = [(rpc, rpc.http[0], re.compile(rpc.http[1])) for rpc in rpcs]
        self.extra_get = extra_get


class _HttpHandler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            status, body = 200, self._run(content)
        except RpcError as error:
            status = _HTTP_STATUS.get(error.status, 500)
            body = {"error": {"code": status, "message": str(error), "status": error.status}}
        except Exception:  # noqa: BLE001
            # The one broad catch: the client learns that it failed, the log learns why.
            traceback.print_exc()
            status, body = 500, {"error": {"code": 500, "message": "see the log", "status": "INTERNAL"}}
        sent = json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def _run(self, content: bytes) -> Any:
        url = urlsplit(self.path)
        path = unquote(url.path)
        for rpc, method, pattern in self.server.routes:
            found = pattern.fullmatch(path)
            if found and method == self.command:
                return _run_json(rpc, content, found.groupdict())
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        answer = self.server.extra_get(path, query) if self.command == "GET" else None
        if answer is None:
            raise RpcError("UNIMPLEMENTED", f"no method {self.command} {path}")
        return answer

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing; errors go to the log by themselves."""


def _run_json(rpc: Rpc, content: bytes, fields: Mapping[str, str]) -> Any:
    try:
        request = json_format.ParseDict({**json.loads(content or b"{}"), **fields}, rpc.request())
    except (json_format.ParseError, ValueError) as error:
        raise RpcError("INVALID_ARGUMENT", str(error)) from error
    answer = rpc.run(request)
    if rpc.is_streaming:
        return [json_format.MessageToDict(part) for part in answer]
    return json_format.MessageToDict(answer)
