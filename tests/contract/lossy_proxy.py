"""A proxy on loopback that lets a request do its work, and then loses the answer."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from drills.supervisor import LOOPBACK


class LossyProxy(ThreadingHTTPServer):
    """Forwards to one server.

    Attributes:
        lose_count: How many of the next answers are lost: the connection ends without a byte.
        cut_count: How many of the next answers end in the middle of their body.
        request_count: How many requests were forwarded.
    """

    daemon_threads = True

    def __init__(self, target_url: str) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.target = urlsplit(target_url).netloc
        self.lose_count = 0
        self.cut_count = 0
        self.request_count = 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}"


@contextmanager
def lossy_proxy(target_url: str) -> Iterator[LossyProxy]:
    """A running proxy."""
    with LossyProxy(target_url) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join(timeout=10)


class _Handler(BaseHTTPRequestHandler):
    server: LossyProxy
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        status, headers, body = self._ask()
        self.server.request_count += 1
        if self.server.lose_count:
            self.server.lose_count -= 1
            self.close_connection = True
            return
        is_cut = self.server.cut_count > 0  # before a byte is sent: the answered one may then set it for the next
        self.server.cut_count -= is_cut
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if is_cut:
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body if self.command != "HEAD" else b"")

    def _ask(self) -> tuple[int, list[tuple[str, str]], bytes]:
        sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        connection = http.client.HTTPConnection(self.server.target, timeout=30)
        try:
            connection.request(self.command, self.path, body=sent, headers=dict(self.headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _forward

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests say what they saw."""
