"""Google's control planes on this machine, as far as a deployment asks them: an emulation that keeps what it is told.

Every request and every answer is judged by Google's discovery documents. What they do not say, which order and which
rights are needed, is emulated after Google's documentation (google_services.py), and was never compared with a live
account.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.deploy.discovery import find_method


class Refusal(Exception):
    """An answer that is an error, as Google gives it."""

    def __init__(self, status: int, code: str, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
        self.body = {"error": {"code": status, "status": code, "message": message, "details": details}}


@dataclass
class Fault:
    """What goes wrong when a method is called for the `nth` time, and from then on if it `lasts`.

    Attributes:
        kind: "refused" (with `status` and `code`), "failed" (its operation), "cut after" (it was done), "expired"
            (the tokens that were given so far), or "meanwhile" (it is done, but before that something else happens).
    """

    method: str
    kind: str
    nth: int = 1
    lasts: bool = True
    status: int = 0
    code: str = ""
    seen: int = 0
    happens: Callable[[], object] = dict

    def strikes(self, method: str) -> bool:
        if method != self.method:
            return False
        self.seen += 1
        return self.seen == self.nth or (self.lasts and self.seen > self.nth)


@dataclass
class Request:
    """What a service is asked.

    Attributes:
        name: Where the path's parameters begin: "projects/p/topics/t".
        token: Whose it is; "" without one.
    """

    method: str
    name: str
    query: dict[str, str]
    body: Any
    token: str
    headers: dict[str, str] = field(default_factory=dict)
    query_lists: dict[str, list[str]] = field(default_factory=dict)


class Cut(Exception):
    """The connection ends without an answer."""


class ControlPlaneServer:
    """Serves `services` between enter and exit.

    Attributes:
        asked: Names of the methods that were called, in order.
        complaints: What the judge did not like, of requests and of answers.
    """

    def __init__(self, services: Any) -> None:
        self.services = services
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.faults: list[Fault] = []
        self.good_tokens: set[str] = set()
        self._token_count = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"plane": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def changed(self) -> list[str]:
        """What was called that changes something."""
        reading = ("get", "list", "batchGet", "getIamPolicy", "access", "listCollectionIds")
        return [name for name in self.asked if name.rpartition(".")[2] not in reading]

    @contextmanager
    def running(self) -> Iterator["ControlPlaneServer"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def new_token(self) -> dict[str, Any]:
        """The answer of Google's Security Token Service."""
        self._token_count += 1
        token = f"token-{self._token_count}"
        self.good_tokens.add(token)
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return {"access_token": token, "issued_token_type": kind, "token_type": "Bearer", "expires_in": 3600}

    def answer(self, http_method: str, target: str, headers: dict[str, str], content: bytes) -> tuple[int, Any]:
        """One request at a time, as state is shared."""
        with self._lock:
            try:
                return 200, self._answer(http_method, target, headers, content)
            except Refusal as refusal:
                return refusal.status, refusal.body

    def _answer(self, http_method: str, target: str, headers: dict[str, str], content: bytes) -> Any:
        parts = urlsplit(target)
        if parts.path == "/token":
            return self.new_token()
        _, host, path = parts.path.split("/", 2)
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if host.endswith(".run.app"):
            return self.services.call_function(host, http_method, f"/{path}", token, headers, content)
        method = find_method(http_method, host, f"/{path}")
        if method is None and http_method == "PUT" and host == "storage.googleapis.com":
            return self.services.receive_package(path, headers, content)
        if method is None:
            self.complaints.append(f"{http_method} {host}/{path}: there is no such method")
            raise Refusal(404, "NOT_FOUND", "there is no such method")
        query = parse_qs(parts.query, keep_blank_values=True)
        body = json.loads(content) if content else None
        self.complaints += method.complaints(query, body)
        self.asked.append(method.name)
        strikes = [fault for fault in self.faults if fault.strikes(method.name)]
        if any(fault.kind == "expired" for fault in strikes):
            self.good_tokens.clear()
        if token not in self.good_tokens:
            raise Refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        request = Request(
            method=method.name,
            name=unquote(path.partition("/")[2]),
            query={name: values[0] for name, values in query.items()},
            query_lists=query,
            body=body,
            token=token,
        )
        found = self._with_faults(strikes, request, host)
        self.complaints += method.answer_complaints(found)
        return found

    def _with_faults(self, strikes: list[Fault], request: Request, host: str) -> Any:
        fault = strikes[0] if strikes else None
        match fault and fault.kind:
            case "refused":
                assert fault is not None
                raise Refusal(fault.status, fault.code, "as the test wants it.")
            case "cut after":
                self.services.serve(request, host)
                raise Cut
            case "meanwhile":
                assert fault is not None
                fault.happens()
                return self.services.serve(request, host)
            case "failed":
                return self.services.serve(request, host, fails=True)
            case _:
                return self.services.serve(request, host)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plane: ControlPlaneServer

    def handle_any(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            status, body = self.plane.answer(self.command, self.path, headers, content)
        except Cut:
            self.close_connection = True
            return
        sent = body.encode() if isinstance(body, str) else json.dumps({} if body is None else body).encode()
        self.send_response_only(status)
        self.send_header("content-type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""
