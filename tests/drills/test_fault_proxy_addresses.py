"""A fault proxy may have further addresses on loopback, where it is the same service with the same faults."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drills.fault_proxy import Fault, FaultKind, FaultProxy
from drills.supervisor import LOOPBACK
from drills.throttled_answers import Service

ADDRESS = "127.0.0.9"
NOT_OURS = "192.0.2.1"  # RFC 5737: for documentation


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    upstream = ThreadingHTTPServer((LOOPBACK, 0), _Handler)
    thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    with FaultProxy(upstream_port=upstream.server_port, service=Service.API) as running:
        yield running
    upstream.shutdown()
    thread.join()
    upstream.server_close()


def status_at(address: str, port: int) -> int:
    with closing(http.client.HTTPConnection(address, port, timeout=5)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status


def test_serves_at_both(proxy: FaultProxy) -> None:
    """The further address gets a free port, and serves beside the first one."""
    port = proxy.listen_also(ADDRESS)

    assert (status_at(ADDRESS, port), status_at(LOOPBACK, proxy.port)) == (200, 200)


def test_faults_meet_both(proxy: FaultProxy) -> None:
    """A fault meets those who come by the further address, also one that refuses; healed, it serves there again."""
    port = proxy.listen_also(ADDRESS)
    proxy.fault = Fault(kind=FaultKind.THROTTLE)
    throttled = [status_at(ADDRESS, port), status_at(LOOPBACK, proxy.port)]
    proxy.fault = Fault(kind=FaultKind.REFUSE)
    for where in ((ADDRESS, port), (LOOPBACK, proxy.port)):
        with pytest.raises(ConnectionRefusedError):
            status_at(*where)
    proxy.heal()

    assert [*throttled, status_at(ADDRESS, port)] == [429, 429, 200]


def test_address_that_is_added_while_it_refuses(proxy: FaultProxy) -> None:
    """It refuses there too, and serves when it is healed."""
    proxy.fault = Fault(kind=FaultKind.REFUSE)
    port = proxy.listen_also(ADDRESS)
    with pytest.raises(ConnectionRefusedError):
        status_at(ADDRESS, port)
    proxy.heal()

    assert status_at(ADDRESS, port) == 200


def test_gives_the_port_back(proxy: FaultProxy) -> None:
    """When it stops, somebody else can have the port at the further address."""
    port = proxy.listen_also(ADDRESS)
    proxy.stop()

    with socket.create_server((ADDRESS, port)) as other:
        assert other.getsockname() == (ADDRESS, port)


@pytest.mark.parametrize("address", [ADDRESS, NOT_OURS])
def test_address_that_cannot_be_had(proxy: FaultProxy, address: str) -> None:
    """One whose port is taken, or that is not of this machine, is an error, and what there was goes on."""
    with socket.create_server((ADDRESS, 0)) as other, pytest.raises(OSError, match=r"in use|Cannot assign"):
        proxy.listen_also(address, other.getsockname()[1])

    assert status_at(LOOPBACK, proxy.port) == 200
