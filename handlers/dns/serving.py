"""Asks the declared targets whether they serve, as the DNS hosts' own health checks do."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from handlers.dns.declaration import Declaration

_PARALLEL_COUNT = 8


def ask_targets(declaration: Declaration) -> Mapping[str, bool]:
    """Ask each declared target, and nobody else. Gives target to whether it answered with a 2xx status."""
    values = list(declaration.targets.values())
    with ThreadPoolExecutor(min(_PARALLEL_COUNT, len(values)), thread_name_prefix="serving") as pool:
        return dict(zip(values, pool.map(lambda value: is_serving(declaration, value), values), strict=True))


def is_serving(declaration: Declaration, target: str) -> bool:
    """Whether one target answers within the declared time.

    A host name is asked under its own name (Cloud Run and Azure route by it); an address under the declared name.
    """
    health = declaration.health
    host = (target if declaration.record_type == "CNAME" else declaration.fqdn).removesuffix(".")
    connection = _Connection(
        host, (target.removesuffix("."), health.port), uses_tls=health.protocol == "https", timeout_s=health.timeout_s
    )
    try:
        connection.request("GET", health.path, headers={"User-Agent": "sluice-dns"})
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """Goes to an address, and names a host: in the Host header, in TLS, and in the certificate's check."""

    def __init__(self, host: str, address: tuple[str, int], *, uses_tls: bool, timeout_s: float) -> None:
        super().__init__(host, timeout=timeout_s)
        self._address = address
        self._uses_tls = uses_tls

    def connect(self) -> None:
        self.sock = socket.create_connection(self._address, self.timeout)
        if self._uses_tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
