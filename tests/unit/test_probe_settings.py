"""How often a cloud probes itself, and how patiently, is a setting of its deployment."""

from pathlib import Path

import pytest

from handlers.peers.settings import read_peer_settings
from handlers.wiring import make_site
from providers.local.connect import connect


@pytest.mark.parametrize(
    ("given", "every_s", "stale_s"),
    [({}, 10, 60), ({"SLUICE_PROBE_EVERY_S": "3", "SLUICE_FUNCTION_STALE_S": "9"}, 3, 9)],
)
def test_settings_reach_the_probe(tmp_path: Path, given: dict[str, str], every_s: int, stale_s: int) -> None:
    """Those of the environment, and else the defaults."""
    services = connect(str(tmp_path), cloud="aws", new_version=lambda: "1")
    settings = read_peer_settings({"SLUICE_CLOUD": "aws", **given})

    probe = make_site(connected=services, settings=settings).probe

    assert (probe.every_s, probe.function_stale_s) == (every_s, stale_s)
