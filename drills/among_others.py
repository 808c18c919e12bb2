"""What makes a local cloud one of several: fault proxies around it, and the settings that name the others.

    client ──> api ──> its API                 function, API ──> store, queue, ledger ──> its services
    its API ──> peers[x] ──> api of x          its queue's push ──> push ──> its function (Google Cloud)

A fault at a cloud's `api` meets everybody who asks it; one at `peers[x]` cuts this cloud off from x alone, one way.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.fault_proxy import Fault, FaultProxy
from drills.throttled_answers import Service

NOWHERE = 9  # discard: until a cloud has started, nothing is behind its doors
CLIENT = "local"

_SERVICES = {
    "aws": (Service.S3, Service.SQS, Service.DYNAMODB),
    "azure": (Service.AZURE_BLOB, Service.AZURE_QUEUE, Service.AZURE_TABLE),
    "gcp": (Service.GOOGLE, Service.GOOGLE, Service.GOOGLE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The fault proxies around one cloud. Their ports are known from the start; what is behind them comes later."""

    store: FaultProxy
    queue: FaultProxy
    ledger: FaultProxy
    push: FaultProxy
    api: FaultProxy
    peers: Mapping[str, FaultProxy]

    @property
    def own(self) -> Sequence[FaultProxy]:
        """Those in front of the cloud itself."""
        return (self.store, self.queue, self.ledger, self.push, self.api)

    def fail(self, fault: Fault, *doors: FaultProxy) -> None:
        """Make the same fault at these doors."""
        for door in doors:
            door.fault = fault

    def heal(self) -> None:
        """End every fault, also those towards peers."""
        for door in (*self.own, *self.peers.values()):
            door.heal()


@dataclass(frozen=True, slots=True, kw_only=True)
class AmongOthers:
    """One cloud's doors, and the settings of its functions that name the others."""

    doors: Doors
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How several clouds work together (handlers/peers/settings.py says what each means).

    Attributes:
        api_key: Of the one client.
        keys: That the clouds share, as in SLUICE_PEER_KEYS.
    """

    copies: int = 1
    takeover_after_s: int = 120
    peer_timeout_s: int = 5
    lease_margin_s: int = 10
    probe_every_s: int = 10
    function_stale_s: int = 60
    api_key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    keys: Mapping[str, Any] = field(
        default_factory=lambda: {"current": "local", "keys": {"local": secrets.token_hex(32)}}, repr=False
    )


@contextmanager
def open_doors(clouds: Sequence[str], settings: Settings) -> Iterator[Mapping[str, AmongOthers]]:
    """Give each cloud its doors and settings; in the given order the first one is preferred."""
    with ExitStack() as running:
        apis = {cloud: running.enter_context(_door(Service.API, f"{cloud} api")) for cloud in clouds}
        doors = {cloud: _doors_of(cloud, apis, running) for cloud in clouds}
        yield {
            cloud: AmongOthers(doors=doors[cloud], environment=_environment(cloud, doors, settings)) for cloud in clouds
        }


@contextmanager
def written_peers(
    path: Path, neighbours: Mapping[str, AmongOthers], settings: Settings, *, dns: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Keep a file, readable by its owner alone, that tells the operator's commands and clients where the clouds are.

    {"peers": {"aws": {"url", "origins"}, …}, "keys": {"current", "keys"}, "api_key", "dns": `dns`, if given}
    """
    peers = {cloud: _address(each.doors.api, each.doors) for cloud, each in neighbours.items()}
    told = {"peers": peers, "keys": settings.keys, "api_key": settings.api_key, **({"dns": dns} if dns else {})}
    text = json.dumps(told, indent=2) + "\n"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    try:
        yield
    finally:
        if path.exists() and path.read_text() == text:  # else other clouds in this folder have theirs there now
            path.unlink()


def _doors_of(cloud: str, apis: Mapping[str, FaultProxy], running: ExitStack) -> Doors:
    store, queue, ledger = _SERVICES[cloud]

    def opened(service: Service, what: str) -> FaultProxy:
        return running.enter_context(_door(service, f"{cloud} {what}"))

    peers = {}
    for other, api in apis.items():
        if other != cloud:
            peers[other] = opened(Service.API, f"to {other}")
            peers[other].upstream_port = api.port
    return Doors(
        store=opened(store, "store"),
        queue=opened(queue, "queue"),
        ledger=opened(ledger, "ledger"),
        push=opened(Service.API, "push"),
        api=apis[cloud],
        peers=peers,
    )


def _door(service: Service, name: str) -> FaultProxy:
    return FaultProxy(upstream_port=NOWHERE, service=service, name=name)


def _environment(cloud: str, doors: Mapping[str, Doors], settings: Settings) -> dict[str, str]:
    peers = {other: _address(door, doors[other]) for other, door in doors[cloud].peers.items()}
    return {
        "SLUICE_PEERS": json.dumps(peers) if peers else "",
        "SLUICE_PEER_KEYS": json.dumps(settings.keys),
        "SLUICE_PEER_TIMEOUT_S": str(settings.peer_timeout_s),
        "SLUICE_LEASE_MARGIN_S": str(settings.lease_margin_s),
        "SLUICE_ORDER": ",".join(doors),
        "SLUICE_COPIES": str(min(settings.copies, len(doors))),
        "SLUICE_TAKEOVER_AFTER_S": str(settings.takeover_after_s),
        "SLUICE_PROBE_EVERY_S": str(settings.probe_every_s),
        "SLUICE_FUNCTION_STALE_S": str(settings.function_stale_s),
        "SLUICE_API_KEYS": json.dumps({CLIENT: hashlib.sha256(settings.api_key.encode()).hexdigest()}),
    }


def _address(door: FaultProxy, doors: Doors) -> dict[str, Any]:
    """Where a cloud is for whoever goes through `door`: its API, and where its presigned URLs point."""
    return {"url": door.url, "origins": [doors.store.url]}
