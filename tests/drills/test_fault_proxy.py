"""The fault proxy passes everything on unchanged, and makes exactly the fault that was asked for."""

import gc
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.errors import StepError, TransientError
from drills.aws.clients import aws_client
from drills.azure.azurite import ACCOUNT, KEY
from drills.fault_proxy import Fault, FaultKind, FaultProxy
from drills.http_relay import PIECE_BYTES
from drills.supervisor import LOOPBACK
from drills.throttled_answers import Service
from drills.waiting import wait_until
from providers.aws.errors import translate
from providers.azure.account import Account, SharedKey
from providers.azure.account import Service as StorageService
from providers.azure.object_store import BlobObjectStore
from providers.azure.rest import Storage
from providers.gcp.clients import emulated
from providers.gcp.ledger import FirestoreLedger


class Upstream(ThreadingHTTPServer):
    """Answers by its path, and remembers what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connection_count = 0
        self.has_first_chunk = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: tests cut connections on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connection_count += 1

    def _answer(self) -> None:
        body = self._body()
        self.server.requests.append((self.command, self.path, dict(self.headers.items()), body))
        if self.path == "/chunked":
            self.send_response_only(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: 1\r\n\r\n")
            return
        if self.path == "/until-the-end":
            self.send_response_only(200)
            self.end_headers()
            self.wfile.write(b"all of it")
            self.close_connection = True
            return
        status = int(self.path[1:]) if self.path[1:].isdigit() else 200
        self.send_response_only(status)
        self.send_header("X-Mixed-Case", "kept")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body) or 7))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body or b"nothing")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size_bytes := int(self.rfile.readline(), 16):
            body += self.rfile.read(size_bytes)
            self.rfile.readline()
            self.server.has_first_chunk.set()
        self.rfile.readline()
        return body

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    with FaultProxy(upstream_port=upstream.server_port, service=Service.S3) as running:
        yield running


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    """A connection that is opened with the first request."""
    connection = http.client.HTTPConnection(LOOPBACK, proxy.port, timeout=5)
    yield connection
    connection.close()


def ask(client: http.client.HTTPConnection, method: str, path: str, body: Any = None, **how: Any) -> tuple[int, bytes]:
    client.request(method, path, body=body, **how)
    answer = client.getresponse()
    return answer.status, answer.read()


def test_bytes_and_headers_are_unchanged(upstream: Upstream, client: http.client.HTTPConnection) -> None:
    """What is signed arrives as it was sent: target, Host, and every header in its own spelling."""
    body = bytes(range(256)) * 4096

    answered = ask(client, "PUT", "/a%2Fb?x=%20", body, headers={"Host": "bucket.example", "X-Odd": "Ä"})

    [(method, target, headers, received)] = upstream.requests
    assert answered == (200, body)
    assert (method, target, received) == ("PUT", "/a%2Fb?x=%20", body)
    assert (headers["Host"], headers["X-Odd"]) == ("bucket.example", "Ä")


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/"), ("GET", "/204"), ("GET", "/304"), ("DELETE", "/404")])
def test_answers_without_a_body(client: http.client.HTTPConnection, method: str, path: str) -> None:
    """After an answer that has no body, whatever its length says, the connection goes on."""
    status, body = ask(client, method, path)

    assert (status, body) == (int(path[1:] or 200), b"" if method != "DELETE" else b"nothing")
    assert ask(client, "GET", "/") == (200, b"nothing")


def test_connections_are_kept(upstream: Upstream, client: http.client.HTTPConnection) -> None:
    """Many requests on one connection need one connection to the service."""
    for _ in range(5):
        ask(client, "GET", "/")

    assert upstream.connection_count == 1


@pytest.mark.parametrize(("path", "body"), [("/chunked", b"abcdefg"), ("/until-the-end", b"all of it")])
def test_answers_without_a_length(client: http.client.HTTPConnection, path: str, body: bytes) -> None:
    """Chunks, with extensions and trailers, and answers that end with their connection."""
    assert ask(client, "GET", path) == (200, body)


def test_request_streams(upstream: Upstream, client: http.client.HTTPConnection) -> None:
    """A chunk is passed on before the next one is there."""

    def chunks() -> Iterator[bytes]:
        yield b"first"
        assert upstream.has_first_chunk.wait(5)
        yield b"second"

    assert ask(client, "PUT", "/", chunks(), encode_chunked=True) == (200, b"firstsecond")


def test_client_that_waits_to_send(proxy: FaultProxy) -> None:
    """`Expect: 100-continue`, as Amazon's SDK sends it, gets its interim answer, and then the final one."""
    with socket.create_connection((LOOPBACK, proxy.port), timeout=5) as client, client.makefile("rb") as answers:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        interim = [answers.readline(), answers.readline()]
        client.sendall(b"abc")

        assert interim == [b"HTTP/1.1 100 Continue\r\n", b"\r\n"]
        assert answers.readline() == b"HTTP/1.1 200 OK\r\n"


def test_refused(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """Nobody listens, connections that stood are ended, and the port is the same afterwards."""
    ask(client, "GET", "/")
    proxy.fault = Fault(kind=FaultKind.REFUSE)

    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        ask(client, "GET", "/")
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, proxy.port), timeout=5)
    proxy.heal()
    client.close()
    assert ask(client, "GET", "/") == (200, b"nothing")


def test_reset(upstream: Upstream, proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """Connections are accepted and reset."""
    proxy.fault = Fault(kind=FaultKind.RESET)

    with pytest.raises(ConnectionResetError), socket.create_connection((LOOPBACK, proxy.port), timeout=5) as raw:
        raw.recv(1)
    proxy.fault = Fault(kind=FaultKind.RESET, method="PUT")
    assert ask(client, "GET", "/") == (200, b"nothing")
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        ask(client, "PUT", "/", b"abc")
    assert [method for method, *_ in upstream.requests] == ["GET"]
    assert proxy.fault_counts[FaultKind.RESET] == 2


def test_hung_request_is_served_when_healed(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """Whoever waits long enough is served, as by a process that was frozen."""
    proxy.fault = Fault(kind=FaultKind.HANG)
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(client, "PUT", "/", b"late")))
    waiting.start()
    wait_until(lambda: proxy.fault_counts[FaultKind.HANG], timeout_s=5, what="a request hangs")

    assert answers == []
    proxy.heal()
    waiting.join(5)
    assert answers == [(200, b"late")]


def test_hung_request_of_a_client_that_left(
    upstream: Upstream, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    """A client that gives up gets nothing, and its request is never done."""
    client.timeout = 0.2
    proxy.fault = Fault(kind=FaultKind.HANG)

    with pytest.raises(TimeoutError):
        ask(client, "PUT", "/", b"abc")
    client.close()
    wait_until(lambda: not proxy.client_count, timeout_s=5, what="the client's leaving is noticed")
    proxy.heal()
    assert ask(client, "GET", "/") == (200, b"nothing")
    assert [method for method, *_ in upstream.requests] == ["GET"]


def test_delay(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """Every request takes that much longer."""
    proxy.fault = Fault(kind=FaultKind.DELAY, delay_ms=300)
    started_s = time.monotonic()

    assert ask(client, "GET", "/") == (200, b"nothing")
    assert time.monotonic() - started_s >= 0.3


def test_answer_is_dropped(upstream: Upstream, proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """The work is done, and nobody says so."""
    proxy.fault = Fault(kind=FaultKind.DROP_ANSWER)

    with pytest.raises(http.client.RemoteDisconnected):
        ask(client, "PUT", "/", b"abc")
    assert [(method, body) for method, _, _, body in upstream.requests] == [("PUT", b"abc")]


def test_fault_for_some(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """A filter spares other requests; a share is by chance, and the same for the same seed."""
    proxy.fault = Fault(kind=FaultKind.THROTTLE, method="PUT", path_prefix="/bad")
    spared = [ask(client, "PUT", "/good", b"x")[0], ask(client, "GET", "/bad")[0]]

    def statuses() -> list[int]:
        proxy.fault = Fault(kind=FaultKind.THROTTLE, share=0.5, seed=7)
        return [ask(client, "GET", "/")[0] for _ in range(40)]

    first, second = statuses(), statuses()
    assert spared == [200, 200]
    assert first == second
    assert 8 < first.count(503) < 32
    assert proxy.request_count == 82
    assert proxy.fault_counts[FaultKind.THROTTLE] == 2 * first.count(503)


def test_fault_that_makes_no_sense() -> None:
    """A refused connection has no method yet."""
    with pytest.raises(ValueError, match="refuses connections"):
        Fault(kind=FaultKind.REFUSE, method="GET")


@pytest.mark.parametrize("service", [Service.S3, Service.SQS, Service.DYNAMODB])
def test_amazon_sdk_sees_throttling(upstream: Upstream, service: Any) -> None:
    """Amazon's SDK reads the answer as the service's own, and our adapter as one about the moment."""
    with FaultProxy(upstream_port=upstream.server_port, service=service) as proxy:
        proxy.fault = Fault(kind=FaultKind.THROTTLE)
        client = aws_client(service.value, endpoint_url=proxy.url)
        call = {
            Service.S3: lambda: client.put_object(Bucket="bucket", Key="k", Body=b"x" * 2 * PIECE_BYTES),
            Service.SQS: lambda: client.send_message(QueueUrl=f"{proxy.url}/0/q", MessageBody="x"),
            Service.DYNAMODB: lambda: client.get_item(TableName="t", Key={"id": {"S": "x"}}),
        }[service]

        with pytest.raises(ClientError) as refused:
            call()
        client.close()

    assert type(translate(refused.value, operation="", subject="")) is TransientError


def test_azure_adapter_sees_throttling(upstream: Upstream) -> None:
    """Azure's answer is read as one about the moment, after one more try."""
    with FaultProxy(upstream_port=upstream.server_port, service=Service.AZURE_BLOB) as proxy:
        proxy.fault = Fault(kind=FaultKind.THROTTLE)
        account = Account(
            name=ACCOUNT,
            urls={StorageService.BLOB: f"{proxy.url}/{ACCOUNT}"},
            credential=SharedKey(account=ACCOUNT, key=KEY),
        )
        storage = Storage(account, StorageService.BLOB)

        with pytest.raises(StepError, match="ServerBusy") as refused:
            BlobObjectStore(bucket="bucket", client=storage).find("k")
        storage.close()

    assert type(refused.value) is TransientError


def test_google_adapter_sees_throttling(upstream: Upstream) -> None:
    """The same for Google's."""
    with FaultProxy(upstream_port=upstream.server_port, service=Service.GOOGLE) as proxy:
        proxy.fault = Fault(kind=FaultKind.THROTTLE)
        ledger = FirestoreLedger(database="projects/p/databases/d", collection="c", api=emulated(proxy.url))

        with pytest.raises(StepError, match="RESOURCE_EXHAUSTED") as refused:
            ledger.get("k")

    assert type(refused.value) is TransientError


def test_client_that_leaves_within_a_body(upstream: Upstream, proxy: FaultProxy) -> None:
    """Half of an upload never looks like a whole one."""
    with socket.create_connection((LOOPBACK, proxy.port), timeout=5) as client:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert upstream.has_first_chunk.wait(5)
    wait_until(lambda: not proxy.client_count, timeout_s=5, what="the client's leaving is noticed")

    assert upstream.requests == []
    assert proxy.lost_upstream_count == 0


def test_request_outlives_its_client(proxy: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
    """What the upstream is still at when all connections are reset is not thrown away in the middle."""
    with socket.create_server((LOOPBACK, 0)) as silent:
        proxy.upstream_port = silent.getsockname()[1]
        with socket.create_connection((LOOPBACK, proxy.port), 5) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            at_upstream, _ = silent.accept()
            with at_upstream:
                at_upstream.recv(1000)
                proxy.fault = Fault(kind=FaultKind.REFUSE)
                proxy.heal()  # by then the reset has been seen
                gc.collect()

    assert "destroyed" not in caplog.text


def test_service_that_is_gone(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """A service that does not run is seen as one that resets connections, and counted apart from the faults."""
    with socket.socket() as unused:
        unused.bind((LOOPBACK, 0))
        proxy.upstream_port = unused.getsockname()[1]

        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            ask(client, "GET", "/")

    assert proxy.lost_upstream_count == 1
    assert not proxy.fault_counts


def test_clients_that_were_just_accepted_are_ended_too() -> None:
    """Whoever stops a proxy while clients come leaves no connection open."""
    for _ in range(20):
        proxy = FaultProxy(upstream_port=9, service=Service.S3)
        proxy.start()
        clients = [socket.create_connection((LOOPBACK, proxy.port)) for _ in range(5)]

        proxy.stop()

        for client in clients:
            client.settimeout(5)
            with client, suppress(ConnectionResetError):
                assert client.recv(1) == b""
    gc.collect()  # an open one that nobody holds would be told now, and warnings are errors
