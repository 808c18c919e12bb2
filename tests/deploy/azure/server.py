"""Serves the fake Azure on loopback: plainly for our plugin, over TLS for the official clients, which insist on it.

The first part of a path is the host that it stands for: http://127.0.0.1:PORT/management.azure.com/subscriptions/…
"""

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.deploy.azure import resource_manager, services
from tests.deploy.azure.state import RefusedError, Request, World

LOOPBACK = "127.0.0.1"
ARM = "management.azure.com"

# What Azure says in each case. The one about quota really comes as a 401.
_FAULTS = {
    "quota": RefusedError(
        status=401, code="SubscriptionIsOverQuotaForSku", message="This region has quota of 0 instances."
    ),
    "denied": RefusedError(
        status=403, code="AuthorizationFailed", message="The client does not have authorization\nto do this."
    ),
    "conflict": RefusedError(
        status=409, code="Conflict", message="Cannot modify this site because another operation is in progress."
    ),
    "busy": RefusedError(status=429, code="TooManyRequests", message="Slow down."),
    "expired": RefusedError(
        status=401, code="ExpiredAuthenticationToken", message="The access token expiry is in the past."
    ),
}


class FakeAzure:
    """Listens until closed."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.world = World()
        self.certificate = certificate
        self._servers = [_serve(self.world, None)]
        self.url = f"http://{LOOPBACK}:{self._servers[0].server_port}"
        if certificate is not None:
            self._servers.append(_serve(self.world, certificate))
            self.tls_url = f"https://{LOOPBACK}:{self._servers[1].server_port}/{ARM}"

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _serve(world: World, certificate: Path | None) -> ThreadingHTTPServer:
    class Handler(_Handler):
        pass

    Handler.world = world
    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    Handler.base = f"https://{ARM}"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Handler.base = f"https://{LOOPBACK}:{server.server_port}/{ARM}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    world: World
    base: str

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.world.lock:
            try:
                request = self._request(content)
                self.world.requests.append(request)
                fault = self.world.take_fault(request.method, f"{request.host}{request.path}")
                if fault == "cut":
                    self.close_connection = True
                    return
                self._refuse_if_due(fault)
                part = resource_manager if request.host == ARM else services
                self._send(*part.answer(self.world, request, fault))
            except RefusedError as refusal:
                error = {"error": {"code": refusal.code, "message": refusal.message}}
                self._send(refusal.status, error, {"retry-after": "0.01"} if refusal.status == 429 else {})

    def _refuse_if_due(self, fault: str) -> None:
        token = self.headers.get("authorization", "")
        if fault == "expired":
            self.world.refused_tokens.add(token)
        if token in self.world.refused_tokens:
            raise _FAULTS["expired"]
        if fault in _FAULTS:
            raise _FAULTS[fault]

    def _request(self, content: bytes) -> Request:
        parts = urlsplit(self.path)
        _, host, path = parts.path.split("/", 2)
        query = dict(parse_qsl(parts.query))
        if key := self.headers.get("x-functions-key"):
            query["x-functions-key"] = key
        is_json = "json" in self.headers.get("content-type", "")
        body: Any = json.loads(content) if content and is_json else content or None
        if body is not None and not is_json and self.headers.get("content-type") != "application/zip":
            body = content.decode()
        return Request(
            method=self.command,
            host=host,
            path=f"/{path.lstrip('/')}",
            query=query,
            body=body,
            claims=self._claims(),
            base=self.base,
        )

    def _claims(self) -> dict[str, Any]:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        if kind != "Bearer":
            return {}
        payload = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims

    def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        is_text = isinstance(body, str) and body.startswith("<")
        sent = b"" if body is None else body.encode() if is_text else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/xml" if is_text else "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer
