"""One name for local clouds that work together, which a DNS server leads to the cloud that is active.

client ──name──> DNS server ──> 127.0.0.11, 127.0.0.12, …: each API at an address of its own, all at one port

A record names an address and never a port, hence the addresses. Linux has them all; macOS has 127.0.0.1 alone.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.fault_proxy import FaultProxy
from drills.running_clouds import PROJECT_FOLDER
from drills.supervisor import LOOPBACK, SupervisedProcess, answers_http, pick_free_port

_ZONE, _LABEL = "sluice.test.", "uploads"  # RFC 6761: nobody has a name in test.
NAME = f"{_LABEL}.{_ZONE}"

_FIRST_ADDRESS_NUMBER = 11
_START_TIMEOUT_S = 15.0
_REMEMBERED_ROUTE_MAX_S = 1.0  # handlers/api/front.py


class NoAddressError(Exception):
    """An API gets no address of its own: this machine has none, or the port is taken there. The message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSettings:
    """How fast the name moves. Route 53: every 10 or 30 s; 3 in a row, unless told otherwise; a TTL of at most 60 s.

    Attributes:
        interval_s: Between two probes of one cloud.
        threshold_count: Bad probes in a row that turn a cloud unhealthy, and good ones that turn it healthy again.
        ttl_s: How long resolvers keep an answer.
    """

    interval_s: float = 1.0
    threshold_count: int = 3
    ttl_s: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalName:
    """The name, and who answers for it.

    Attributes:
        port: Of the DNS server, UDP and TCP, on 127.0.0.1.
        admin_port: `GET /status` there tells health, answer, and since when.
        addresses: Of each cloud's API.
        api_port: Of all of them.
    """

    settings: NameSettings
    server: SupervisedProcess
    port: int
    admin_port: int
    addresses: Mapping[str, str]
    api_port: int

    def told(self) -> dict[str, Any]:
        """What peers.json says of it."""
        return {
            "name": NAME,
            "address": LOOPBACK,
            "port": self.port,
            "status_url": f"http://{LOOPBACK}:{self.admin_port}/status",
            "targets": dict(self.addresses),
            "api_port": self.api_port,
        }

    @property
    def switch_limit_s(self) -> float:
        """Longest time from a switch until no resolver gives the old answer, by the numbers, if all answer at once.

        An outage takes longer: first a majority has to move the route.
        """
        to_notice_s = self.settings.interval_s * self.settings.threshold_count
        return _REMEMBERED_ROUTE_MAX_S + to_notice_s + self.settings.ttl_s

    def how_to_ask(self) -> str:
        """Commands for a shell in the project's folder."""
        query = f'dns.message.make_query("{NAME}", "A")'
        return (
            f"  dig +short @{LOOPBACK} -p {self.port} {NAME}\n"
            "  .venv/bin/python -c 'import dns.message, dns.query; "
            f'print(dns.query.udp({query}, "{LOOPBACK}", port={self.port}, timeout=5).answer[0])\'\n'
            f"  curl http://{LOOPBACK}:{self.admin_port}/status"
        )


def has_addresses(cloud_count: int) -> bool:
    """Whether this machine has the addresses that so many clouds need."""
    try:
        for number in range(cloud_count):
            with socket.socket() as probe:
                probe.bind((_address(number), 0))
    except OSError:
        return False
    return True


@contextmanager
def named(apis: Mapping[str, FaultProxy], folder: Path, settings: NameSettings) -> Iterator[LocalName]:
    """Give each API its address, start the DNS server, and stop it; in the given order the first one is preferred.

    Args:
        folder: Where the server's configuration and log go: dns.json and dns.log.

    Raises:
        NoAddressError: An API gets no address.
        StartError: The server does not start.
    """
    addresses, api_port = _listen_at_addresses(apis)
    config = folder / "dns.json"
    config.write_text(json.dumps(_configuration(settings, addresses, api_port), indent=2) + "\n")
    port, admin_port = pick_free_port(), pick_free_port()
    where = ["--port", str(port), "--admin-port", str(admin_port), "--config", str(config.resolve())]
    server = SupervisedProcess(
        [sys.executable, "-m", "drills.dns.server", *where],
        name="DNS server",
        environment={"PATH": os.defpath, "PYTHONPATH": str(PROJECT_FOLDER)},
        folder=folder,
        log_path=folder / "dns.log",
    )
    with server:
        server.wait_ready(lambda: answers_http(admin_port, "/status"), timeout_s=_START_TIMEOUT_S)
        yield LocalName(
            settings=settings,
            server=server,
            port=port,
            admin_port=admin_port,
            addresses=addresses,
            api_port=api_port,
        )


def _listen_at_addresses(apis: Mapping[str, FaultProxy]) -> tuple[dict[str, str], int]:
    """The addresses by cloud, and the port, which the first one chooses."""
    addresses = {cloud: _address(number) for number, cloud in enumerate(apis)}
    port = 0
    for cloud, address in addresses.items():
        try:
            port = apis[cloud].listen_also(address, port)
        except OSError as error:
            raise NoAddressError(f"{address}: {error.strerror}") from error
    return addresses, port


def _address(number: int) -> str:
    return f"127.0.0.{_FIRST_ADDRESS_NUMBER + number}"


def _configuration(settings: NameSettings, addresses: Mapping[str, str], api_port: int) -> dict[str, Any]:
    """For drills/dns/settings.py; what is not named is as Route 53 has it."""
    return {
        "zone": _ZONE,
        "name": _LABEL,
        "targets": dict(addresses),
        "port": api_port,
        "interval_s": settings.interval_s,
        "threshold_count": settings.threshold_count,
        "recovery_count": settings.threshold_count,
        "ttl_s": settings.ttl_s,
    }
