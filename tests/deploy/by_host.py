"""One control plane for several clouds: passes each request on to the fake that stands for its host.

The plugins ask an emulator at http://127.0.0.1:PORT/HOST/PATH, and there is one setting for all clouds.
"""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_TIMEOUT_S = 30
_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "server")


@contextmanager
def serve_by_host(choose: Callable[[str], str]) -> Iterator[str]:
    """Listen on loopback until the end of the block; gives the URL.

    Args:
        choose: The URL of the fake that stands for a host.
    """

    class Handler(_Handler):
        pass

    Handler.choose = staticmethod(choose)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    choose: Callable[[str], str]

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        _, host, _ = self.path.split("/", 2)
        target = urlsplit(self.choose(host))
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=_TIMEOUT_S)
        connection.request(self.command, self.path, body=body, headers=dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = _pass_on

    def log_message(self, format: str, *args: object) -> None:
        """The fakes keep what they were asked."""
