"""Requests of the operator's commands, to the real API: signed with the clouds' keys, by nobody of the clouds."""

from core.route import Route
from handlers.failover.clouds import KnownClouds, connect_peers
from tests.unit.api_in_memory import KEYS, ORDER, MemoryApi, serving


def test_operator_is_one_more_peer() -> None:
    """The operator may look at a cloud and move its route, as a peer may."""
    api = MemoryApi(cloud="gcp")
    route = Route(active="gcp", order=ORDER, epoch=1, reason="a person said so")
    with serving(api.app) as url:
        known = KnownClouds(urls={"gcp": url}, keys=KEYS, source="this test")
        [peer] = connect_peers(known, clock_ms=api.clock_ms)

        held = peer.offer_route(route)
        look = peer.look()

    assert held == route
    assert look.route == route
