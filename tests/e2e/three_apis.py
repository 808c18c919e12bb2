"""Three clouds in memory, with API and bucket of each behind a real HTTP server; what a client meets there can be set.

The bucket stands in for one that takes presigned PUTs; it checks nothing but the size.
"""

import hashlib
import io
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from core.ports import PresignedPut
from handlers.api.application import Application
from handlers.api.front import Front
from handlers.peers.settings import PeerAddress, PeerSettings
from providers.memory.object_store import MemoryObjectStore
from tests.unit.api_in_memory import KEYS, serving
from tests.unit.sites_in_memory import ORDER, Clouds, one_after_another

API_KEY = "the key of the client"
BODY_MAX_BYTES = 32 * 1024


class HttpBucket(MemoryObjectStore):
    """A bucket whose presigned URLs lead to a server."""

    url = ""

    def presign_put(self, key: str, *, size_bytes: int, content_type: str, valid_s: int) -> PresignedPut:
        headers = {"content-length": str(size_bytes), "content-type": content_type}
        return PresignedPut(url=f"{self.url}/bucket/{quote(key, safe='')}?valid_s={valid_s}", headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came."""

    cloud: str
    what: str  # method and path
    target: str  # as it was asked for, without the query
    headers: dict[str, str]


@dataclass
class Apis:
    """The clouds, where they are, and what happened.

    Attributes:
        fault: What becomes of a request to a cloud; None: it is served. Called before it is served.
        seen: The requests in order, those that met a fault included.
    """

    clouds: Clouds
    urls: dict[str, str]
    fault: Callable[[Seen], str | Response | None]
    seen: list[Seen]

    def whats(self, cloud: str) -> list[str]:
        return [seen.what for seen in self.seen if seen.cloud == cloud]

    def header(self, name: str, what: str) -> list[str]:
        """The values of a header in the requests to a path, in order."""
        return [seen.headers.get(name, "") for seen in self.seen if seen.what == what]

    def contents(self) -> dict[str, dict[str, bytes]]:
        """The objects of each cloud, by key."""
        found: dict[str, dict[str, bytes]] = {}
        for cloud in ORDER:
            store = self.clouds.services[cloud].store
            found[cloud] = {}
            for info in store.page().objects:
                with store.open(info.key, version=info.version) as opened:
                    found[cloud][info.key] = opened.body.read()  # type: ignore[union-attr]
        return found

    def write_peers(self, path: Path) -> Path:
        path.write_text(json.dumps({"peers": {c: {"url": url} for c, url in self.urls.items()}, "api_key": API_KEY}))
        return path


@contextmanager
def three_apis(*, copies: int = 2) -> Iterator[Apis]:
    """Start them. Requests that hang are let go at the end."""
    clouds = Clouds()
    apis = Apis(clouds=clouds, urls={}, fault=lambda _seen: None, seen=[])
    is_over = threading.Event()
    with ExitStack() as servers:
        buckets = {cloud: HttpBucket(bucket=f"{cloud}-bucket", clock_ms=lambda: clouds.now_ms) for cloud in ORDER}
        for cloud, bucket in buckets.items():
            _exchange_store(clouds, cloud, bucket)
        for cloud, bucket in buckets.items():
            front = Front(
                site=clouds.sites[cloud],
                peers=clouds.peers_of(cloud),
                settings=_settings(cloud, copies),
                gather=one_after_another,
            )
            url = servers.enter_context(serving(_Gate(cloud, Application(front), bucket, apis, is_over)))
            bucket.url = apis.urls[cloud] = url
        servers.callback(is_over.set)
        yield apis


class _Gate:
    """The WSGI app in front of one cloud's API and bucket."""

    def __init__(self, cloud: str, api: Application, bucket: HttpBucket, apis: Apis, is_over: threading.Event) -> None:
        self._cloud, self._api, self._bucket, self._apis, self._is_over = cloud, api, bucket, apis, is_over

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        is_bucket = request.path.startswith("/bucket/")
        path = "/bucket" if is_bucket else request.path
        seen = Seen(
            cloud=self._cloud, what=f"{request.method} {path}", target=_target(environ), headers=dict(request.headers)
        )
        self._apis.seen.append(seen)
        fault = self._apis.fault(seen)
        if isinstance(fault, Response):
            return fault(environ, start_response)
        if fault == "hang":
            self._is_over.wait(timeout=30)
        elif fault == "drop":
            pass
        else:
            answer = self._put(request) if is_bucket else Response.from_app(self._api, environ)
            if fault != "lose the answer":
                return answer(environ, start_response)
        connection: socket.socket = environ["werkzeug.socket"]
        connection.shutdown(socket.SHUT_RDWR)
        return []

    def _put(self, request: Request) -> Response:
        key = request.path.removeprefix("/bucket/")
        body = request.get_data()
        if len(body) != request.content_length:
            return Response(status=400)
        self._bucket.put(key, io.BytesIO(body), size_bytes=len(body))
        return Response(status=200)


def _target(environ: dict[str, Any]) -> str:
    return str(environ["REQUEST_URI"]).partition("?")[0]


def _exchange_store(clouds: Clouds, cloud: str, bucket: HttpBucket) -> None:
    services = replace(clouds.services[cloud], store=bucket)
    clouds.services[cloud] = services
    probe = replace(clouds.sites[cloud].probe, store=bucket)
    clouds.sites[cloud] = replace(clouds.sites[cloud], services=services, probe=probe)


def _settings(cloud: str, copies: int) -> PeerSettings:
    return PeerSettings(
        cloud=cloud,
        order=ORDER,
        peers={other: PeerAddress(url=f"https://{other}.test", origins=()) for other in ORDER if other != cloud},
        keys=KEYS,
        peer_timeout_s=5,
        copies=copies,
        takeover_after_s=120,
        probe_every_s=10,
        function_stale_s=60,
        body_max_bytes=BODY_MAX_BYTES,
        client_keys={"client": hashlib.sha256(API_KEY.encode()).hexdigest()},
        is_open=False,
    )
