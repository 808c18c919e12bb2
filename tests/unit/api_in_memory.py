"""The HTTP API of one cloud of two on adapters in memory, with a clock that tests move; and a real server for it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.serving import make_server
from werkzeug.test import Client

from core.gather import ThreadGather
from core.peer import Peer
from core.ports import Cloud
from core.probe import Probe
from core.route import Route
from core.signing import PeerKeys
from core.site import Site
from handlers.api.application import Application
from handlers.api.front import Front
from handlers.peers.http_peer import HttpPeer
from handlers.peers.settings import PeerAddress, PeerSettings
from providers.memory.ledger import MemoryLedger
from providers.memory.object_store import MemoryObjectStore
from providers.memory.work_queue import MemoryWorkQueue

ORDER = ("aws", "gcp")
KEYS = PeerKeys(current="k1", secrets={"k1": bytes(range(32)), "k2": b"2" * 32})
ORIGIN = "https://objects.aws.test"
CLIENT_KEY = "the client's key"
CLIENT_KEY_SHA256 = "cdd5d4dd6ddda4b8c2d2a44c3a1e39f9f5a0a6ee0f7b4d57fb2a2a4e4c3c2a4d"


@dataclass
class MemoryApi:
    """The cloud `cloud` of ORDER: its services, its site, and the application."""

    cloud: str = "gcp"
    change: dict[str, Any] = field(default_factory=dict)
    peers: list[Peer] = field(default_factory=list)
    now_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    monotonic_s: float = 0.0

    def __post_init__(self) -> None:
        self.services = Cloud(
            store=MemoryObjectStore(bucket=f"{self.cloud}-bucket", clock_ms=self.clock_ms),
            ledger=MemoryLedger(),
            work=MemoryWorkQueue(clock_ms=self.clock_ms),
            parked=MemoryWorkQueue(clock_ms=self.clock_ms),
            control=MemoryLedger(),
        )
        self.connect(self.services)

    def connect(self, services: Cloud) -> None:
        """Have the application stand on these services, which may be broken ones."""
        self.services = services
        probe = Probe(
            store=services.store,
            ledger=services.ledger,
            control=services.control,
            work=services.work,
            parked=services.parked,
            clock_ms=self.clock_ms,
        )
        initial = Route(active=ORDER[0], order=ORDER)
        self.site = Site(cloud=self.cloud, services=services, initial=initial, probe=probe, clock_ms=self.clock_ms)
        self.front = Front(
            site=self.site,
            peers=[*self.peers, self.site],
            settings=self._settings(),
            gather=ThreadGather(hedge_after_s=0.1, timeout_s=5),
            monotonic_s=lambda: self.monotonic_s,
        )
        self.app = Application(self.front)
        self.client = Client(self.app)

    def clock_ms(self) -> int:
        return self.now_ms

    def is_untouched(self) -> bool:
        """Whether nothing was stored anywhere but nonces."""
        return (
            not self.services.store.page().objects
            and not self.services.ledger.page().rows
            and self.services.work.depth().visible_count == 0
            and all(row.row_id.startswith("nonces/") for row in self.services.control.page().rows)
        )

    def _settings(self) -> PeerSettings:
        others = {cloud: PeerAddress(url=f"https://{cloud}.test", origins=(ORIGIN,)) for cloud in ORDER}
        del others[self.cloud]
        known = {
            "cloud": self.cloud,
            "order": ORDER,
            "peers": others,
            "keys": KEYS,
            "peer_timeout_s": 5,
            "copies": 1,
            "takeover_after_s": 120,
            "probe_every_s": 10,
            "function_stale_s": 60,
            "body_max_bytes": 1024 * 1024,
            "client_keys": {},
            "is_open": True,
        }
        return PeerSettings(**{**known, **self.change})


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """A real HTTP server on loopback for a WSGI application; gives its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def peer_at(url: str, *, api: MemoryApi, **change: Any) -> HttpPeer:
    """The API behind a URL, as its peer in the other cloud sees it."""
    sender = next(cloud for cloud in ORDER if cloud != api.cloud)
    known = {"cloud": api.cloud, "sender": sender, "url": url, "keys": KEYS, "clock_ms": api.clock_ms, "timeout_s": 5.0}
    return HttpPeer(**{**known, **change})
