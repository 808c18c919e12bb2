"""Puts the core together with a cloud's parts, the clock and chance.

What only a cloud among others needs is imported where it is made: a cold start of `process` should not pay for it.
"""

import importlib
import logging
import os
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core.errors import ProviderUnusableError
from core.pipeline import Pipeline
from core.ports import Cloud
from core.upload import Notice
from core.worker import Worker
from handlers.logic import handle_upload
from handlers.settings import Settings

if TYPE_CHECKING:
    from core.peer import Peer
    from core.site import Site
    from core.votes import SwitchPolicy
    from core.watch import Watch
    from handlers.api.front import Front
    from handlers.peers.settings import PeerSettings
    from handlers.peers.tell import Tell

CLOUDS = ("aws", "azure", "gcp")


def connect(cloud: str) -> Cloud:
    """The parts of the named cloud, from that cloud's entrypoint module."""
    if cloud not in CLOUDS:
        raise ProviderUnusableError(f"there is no cloud {cloud!r}; there are: {', '.join(CLOUDS)}")
    connected: Cloud = importlib.import_module(f"handlers.{cloud}").connect()
    return connected


def make_worker(
    *, cloud: str, connected: Cloud, parse: Callable[[str], Sequence[Notice]], settings: Settings
) -> Worker:
    """A worker for the messages of one cloud, with the other clouds at its side if SLUICE_PEERS names any."""
    logging.getLogger("sluice").setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO"))
    for_pipeline, for_worker = _among_others(connected) if os.environ.get("SLUICE_PEERS") else ({}, {})
    pipeline = Pipeline(
        cloud=cloud,
        store=connected.store,
        ledger=connected.ledger,
        handle_upload=handle_upload,
        clock_ms=clock_ms,
        policy=settings.policy,
        lease_margin_s=settings.lease_margin_s,
        **for_pipeline,
    )
    return Worker(
        pipeline=pipeline,
        work=connected.work,
        parked=connected.parked,
        parse=parse,
        owner=uuid.uuid4().hex,
        jitter=random.random,
        **for_worker,
    )


def make_site(*, connected: Cloud, settings: "PeerSettings") -> "Site":
    """This cloud, as its peers see it."""
    from core.probe import Probe
    from core.route import Route
    from core.site import Site

    probe = Probe(
        store=connected.store,
        ledger=connected.ledger,
        control=connected.control,
        work=connected.work,
        parked=connected.parked,
        clock_ms=clock_ms,
        every_s=settings.probe_every_s,
        function_stale_s=settings.function_stale_s,
    )
    initial = Route(active=settings.order[0], order=settings.order)
    return Site(cloud=settings.cloud, services=connected, initial=initial, probe=probe, clock_ms=clock_ms)


def make_others(settings: "PeerSettings") -> "list[Peer]":
    """The other clouds, in the route's order, over HTTP."""
    if settings.keys is None:
        return []
    from handlers.peers.http_peer import HttpPeer

    return [
        HttpPeer(
            cloud=cloud,
            sender=settings.cloud,
            url=settings.peers[cloud].url,
            keys=settings.keys,
            clock_ms=clock_ms,
            timeout_s=settings.peer_timeout_s,
        )
        for cloud in settings.order
        if cloud != settings.cloud
    ]


def make_peers(*, site: "Site", settings: "PeerSettings") -> "list[Peer]":
    """All clouds in the route's order: this one itself, the others over HTTP."""
    by_cloud: dict[str, Peer] = {peer.cloud: peer for peer in make_others(settings)} | {site.cloud: site}
    return [by_cloud[cloud] for cloud in settings.order]


def make_watch(*, connected: Cloud, settings: "PeerSettings", policy: "SwitchPolicy") -> "Watch":
    """What this cloud does every few seconds: look, vote, and move the route if that is due."""
    from core.gather import ThreadGather
    from core.watch import Watch

    site = make_site(connected=connected, settings=settings)
    peers = make_peers(site=site, settings=settings)
    return Watch(site=site, peers=peers, policy=policy, gather=ThreadGather(), clock_ms=clock_ms)


def make_front(env: Mapping[str, str]) -> "Front":
    """What the HTTP API of this cloud stands on."""
    from core.gather import ThreadGather
    from handlers.api.front import Front
    from handlers.peers.settings import read_peer_settings

    settings = read_peer_settings(env)
    site = make_site(connected=connect(settings.cloud), settings=settings)
    return Front(site=site, peers=make_peers(site=site, settings=settings), settings=settings, gather=ThreadGather())


def _among_others(connected: Cloud) -> tuple[dict[str, Any], dict[str, Any]]:
    """What pipeline and worker need more when there are other clouds."""
    from core.handover import HandOver
    from handlers.peers.fetch_url import FetchUrl
    from handlers.peers.settings import read_peer_settings

    settings = read_peer_settings(os.environ)
    others = make_others(settings)
    fetch_url = FetchUrl(origins=settings.origins, timeout_s=settings.peer_timeout_s)
    return (
        {"fetch_url": fetch_url, "takeover_after_s": settings.takeover_after_s},
        {
            "hand_over": HandOver(store=connected.store, peers=others),
            "tell": _tell(os.environ["SLUICE_PEERS"]),
            "control": connected.control,
        },
    )


@lru_cache(maxsize=1)
def _tell(_peers: str) -> "Tell":
    """Kept while warm and while SLUICE_PEERS stays what it is, because it remembers whom it did not reach."""
    from handlers.peers.settings import read_peer_settings
    from handlers.peers.tell import Tell

    return Tell(peers=make_others(read_peer_settings(os.environ)), clock_ms=clock_ms)


def clock_ms() -> int:
    return time.time_ns() // 1_000_000
