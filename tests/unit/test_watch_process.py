"""What `python -m handlers.watch` does between and around the rounds of `core.watch`."""

import logging
import threading
import time

import pytest

from core.peer import Peer
from core.record import Record, State
from core.upkeep import Upkeep
from core.upload import Upload
from core.watch import Round
from handlers.watch import describe, main, watch_until
from tests.unit.sites_in_memory import Clouds


def recorded(upload_id: str, *, cloud: str) -> Record:
    upload = Upload(upload_id=upload_id, cloud=cloud, bucket="b", key="k", version="1")
    return Record(upload=upload, state=State.RECORDED, recorded_at_ms=1, recorded_by=cloud, sha256="ab" * 32)


@pytest.fixture
def clouds() -> Clouds:
    """Clouds of which aws and gcp have a record each."""
    made = Clouds()
    for cloud in ("aws", "gcp"):
        made.sites[cloud].absorb([recorded(f"of {cloud}", cloud=cloud)])
    return made


def upkeep_of_azure(clouds: Clouds) -> Upkeep:
    others: list[Peer] = [peer for peer in clouds.peers_of("azure") if peer.cloud != "azure"]
    return Upkeep(cloud="azure", services=clouds.services["azure"], others=others, clock_ms=lambda: clouds.now_ms)


def rows(clouds: Clouds, cloud: str) -> set[str]:
    return {row.row_id for row in clouds.services[cloud].ledger.page().rows}


def test_rounds_until_told_to_stop(clouds: Clouds, caplog: pytest.LogCaptureFixture) -> None:
    """It says what changed and not what stays, merges now and then, and stops between two rounds."""
    caplog.set_level(logging.WARNING, logger="sluice")
    round_count = 3

    class StopsInTheThird(threading.Event):
        waited = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.waited += 1
            return self.waited == round_count

    watch_until(StopsInTheThird(), clouds.watches["azure"], upkeep_of_azure(clouds), every_s=0, pull_every=2)

    assert rows(clouds, "azure") == {"of aws", "of gcp"}
    assert caplog.messages == [
        "route 0: aws; aws well; gcp well; azure well",
        "1 records of aws merged",
        "1 records of gcp merged",
    ]


def test_time_of_a_round_counts(clouds: Clouds) -> None:
    """What looks take is part of the time between two rounds, so that slow looks are not seldom looks."""
    pauses = []

    class StopsAtOnce(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return True

    class Slow:
        def run_round(self) -> Round:
            until_s = time.monotonic() + 0.05
            while time.monotonic() < until_s:
                pass
            return clouds.watches["azure"].run_round()

    watch_until(StopsAtOnce(), Slow(), upkeep_of_azure(clouds), every_s=5, pull_every=0)  # type: ignore[arg-type]

    assert pauses[0] is not None
    assert 0 < pauses[0] <= 4.95


def test_round_in_words(clouds: Clouds) -> None:
    """Without a majority there is no route to tell of; whoever is silent is named."""
    clouds.dead |= {"aws", "gcp"}

    said = describe(clouds.watches["azure"].run_round())

    assert said == "no route: too few clouds answer; aws no answer; gcp no answer; azure well"


def test_alone_there_is_nothing_to_watch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Started without peers it says so, and ends."""
    monkeypatch.setenv("SLUICE_CLOUD", "aws")
    for name in ("SLUICE_PEERS", "SLUICE_ORDER"):
        monkeypatch.delenv(name, raising=False)

    assert main(["--cloud", "aws"]) == 1
    assert "SLUICE_PEERS names no other cloud" in capsys.readouterr().err
