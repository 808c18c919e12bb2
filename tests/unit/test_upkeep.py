"""Parts of a sweep and of the exchanges, call after call."""

import io
import logging

import pytest

from core.errors import TransientError
from core.probe import PROBE_KEY
from core.upkeep import Upkeep
from tests.unit.sites_in_memory import Clouds

STOP_AT_MS = 10**15


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Upkeep logs what these tests provoke."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


def upkeep_of(clouds: Clouds, cloud: str) -> Upkeep:
    return Upkeep(
        cloud=cloud,
        services=clouds.services[cloud],
        others=[peer for peer in clouds.peers_of(cloud) if peer.cloud != cloud],
        clock_ms=lambda: clouds.now_ms,
        page_count=1,
    )


def put_many(clouds: Clouds, cloud: str, count: int) -> None:
    for number in range(count):
        clouds.services[cloud].store.put(f"k{number:03}", io.BytesIO(b"x"), size_bytes=1)
    clouds.now_ms += 600_000


def test_sweep_goes_on_where_it_stopped() -> None:
    """A bucket of three pages is swept in three calls, and the fourth begins anew."""
    clouds = Clouds()
    put_many(clouds, "aws", 250)
    upkeep = upkeep_of(clouds, "aws")

    waiting = []
    for _ in range(3):
        upkeep.run(stop_at_ms=STOP_AT_MS)
        waiting.append(clouds.services["aws"].work.depth().visible_count)

    assert waiting == [100, 200, 250]


def test_probes_are_no_uploads() -> None:
    """Our own objects are not swept."""
    clouds = Clouds()
    clouds.services["aws"].store.put(PROBE_KEY, io.BytesIO(b"probe"), size_bytes=5)
    put_many(clouds, "aws", 0)

    upkeep_of(clouds, "aws").run(stop_at_ms=STOP_AT_MS)

    assert clouds.services["aws"].work.depth().visible_count == 0


def test_peers_records_come_in() -> None:
    """What another cloud recorded stands in this ledger, too; a dead peer disturbs nobody."""
    clouds = Clouds(dead={"azure"})
    put_many(clouds, "gcp", 1)
    upload = clouds.send_event("gcp", "k000")
    clouds.work("gcp")

    upkeep_of(clouds, "aws").run(stop_at_ms=STOP_AT_MS)

    assert clouds.record("aws", upload.upload_id) == clouds.record("gcp", upload.upload_id) is not None


def test_failing_bucket_does_not_hold_up_the_exchange() -> None:
    """With the bucket unreadable, records are exchanged all the same."""
    clouds = Clouds()
    put_many(clouds, "gcp", 1)
    upload = clouds.send_event("gcp", "k000")
    clouds.work("gcp")

    def fail(**_named: object) -> None:
        raise TransientError("no")

    clouds.services["aws"].store.page = fail  # type: ignore[method-assign]

    upkeep_of(clouds, "aws").run(stop_at_ms=STOP_AT_MS)

    assert clouds.record("aws", upload.upload_id) is not None
