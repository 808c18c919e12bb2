"""A local cloud that is stopped and started again in the same folder goes on where it was."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from drills.local_clouds import RunningCloud, running
from drills.supervisor import answers_http
from drills.upload_drill import DrilledCloud
from drills.waiting import wait_until

WAIT_S = 40

HOLD_BACK: Mapping[str, Callable[[Any], None]] = {
    "aws": lambda aws: aws.mapping.stop(),
    "azure": lambda azure: azure.host.stop(),
    "gcp": lambda gcp: gcp.hold_back(),
}

# The one that answers on this port, and can be frozen.
SERVERS: Mapping[str, Callable[[Any], tuple[int, Any]]] = {
    "aws": lambda aws: (aws.ministack.port, aws.ministack),
    "azure": lambda azure: (azure.azurite.ports["table"], azure.azurite),
    "gcp": lambda gcp: (gcp.firestore.http_port, gcp.firestore.process),
}


@pytest.mark.parametrize("cloud", sorted(HOLD_BACK))
def test_goes_on_after_a_restart(cloud: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record stays as it was, an event that nobody had worked off is worked off, and nothing is recorded twice."""
    with running([cloud], tmp_path) as clouds:
        first = clouds[cloud]
        first.drilled.put("../before", b"1")
        [before] = wait_for_rows(first.drilled, count=1)
        wait_until(lambda: first.drilled.waiting_count == 0, timeout_s=WAIT_S, what="an empty queue")
        HOLD_BACK[cloud](first.local)
        first.drilled.put("held back", b"22")
        wait_until(lambda: first.drilled.waiting_count == 1, timeout_s=WAIT_S, what="the event waits")

    with running([cloud], tmp_path) as clouds:
        second = clouds[cloud]
        rows = wait_for_rows(second.drilled, count=2)
        second.drilled.put("after", b"333")
        after = wait_for_rows(second.drilled, count=3)
        wait_until(lambda: second.drilled.waiting_count == 0, timeout_s=WAIT_S, what="an empty queue")

    say_start_up(capsys, first, second)
    assert before in rows
    assert sorted((row["key"], row["state"], int(row["size_bytes"])) for row in after) == [
        ("../before", "recorded", 1),
        ("after", "recorded", 3),
        ("held back", "recorded", 2),
    ]


@pytest.mark.parametrize("cloud", sorted(SERVERS))
def test_goes_on_after_a_pause(cloud: str, tmp_path: Path) -> None:
    """While a server is frozen nothing answers; afterwards what was put before is recorded, once."""
    with running([cloud], tmp_path) as clouds:
        local = clouds[cloud].local
        port, server = SERVERS[cloud](local)
        clouds[cloud].drilled.put("key", b"1")
        server.pause()
        answered = answers_http(port, "/", any_status=True)
        server.resume()
        rows = wait_for_rows(clouds[cloud].drilled, count=1)

    assert not answered
    assert [(row["key"], row["state"]) for row in rows] == [("key", "recorded")]


def test_versions_put_before_and_after_a_restart_stay_in_order(tmp_path: Path) -> None:
    """Azure's order of events is our stand-in's to give: a later put must not look older because of a restart."""
    sequencers = []
    for content in (b"1", b"22"):
        with running(["azure"], tmp_path) as clouds:
            clouds["azure"].drilled.put("key", content)
            rows = wait_for_rows(clouds["azure"].drilled, count=len(content))
            sequencers.append(next(row["sequencer"] for row in rows if int(row["size_bytes"]) == len(content)))

    assert sequencers[0] < sequencers[1]


def wait_for_rows(cloud: DrilledCloud, *, count: int) -> list[Mapping[str, Any]]:
    """Wait until so many uploads are recorded; gives all rows."""

    def recorded() -> list[Mapping[str, Any]] | None:
        rows = [dict(row) for row in cloud.scan()]
        return rows if sum(row.get("state") == "recorded" for row in rows) >= count else None

    rows = wait_until(recorded, timeout_s=WAIT_S, what=f"{count} records")
    assert rows is not None
    return rows


def say_start_up(capsys: pytest.CaptureFixture[str], first: RunningCloud, second: RunningCloud) -> None:
    with capsys.disabled():
        print(f"\n{first.name}: start_up_s {first.start_up_s:.1f} new, {second.start_up_s:.1f} with data")
