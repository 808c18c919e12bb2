"""The peers: a cloud's own site, and the same over HTTP through a real server."""

import logging
from collections.abc import Iterator

import pytest

from core.peer import Peer
from core.ports import Cloud
from tests.contract.peer_contract import PeerContract
from tests.unit.api_in_memory import MemoryApi, peer_at, serving


@pytest.fixture
def api() -> MemoryApi:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    return MemoryApi()


@pytest.fixture
def services(api: MemoryApi) -> Cloud:
    return api.services


class TestSite(PeerContract):
    @pytest.fixture
    def peer(self, api: MemoryApi) -> Peer:
        return api.site


class TestHttpPeer(PeerContract):
    @pytest.fixture
    def peer(self, api: MemoryApi) -> Iterator[Peer]:
        with serving(api.app) as url:
            yield peer_at(url, api=api)
