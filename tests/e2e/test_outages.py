"""One of three local clouds fails: uploads go on being acknowledged, and afterwards all ledgers say the same of them.

Each outage is made at the active cloud, to which clients turn first. CI runs one of each kind, spread over the clouds;
`make outages` runs each kind on each cloud (SLUICE_ALL_OUTAGES=1). Reading the ledgers goes past the faults.
"""

import hashlib
import http.client
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.gather import ThreadGather
from core.route import Route
from core.switch import move
from drills.among_others import Settings
from drills.fault_proxy import FaultKind
from drills.outages import Outage, cut, outage
from drills.running_clouds import Waits
from drills.together import Together, running_together
from drills.waiting import wait_until
from handlers.failover.clouds import connect_peers, find_clouds
from handlers.peers.http_peer import HttpPeer
from handlers.wiring import clock_ms

ORDER = ("aws", "gcp", "azure")
CLIENT_TIMEOUT_S = 3.0
GRACE_S = 1.0  # the most that an acknowledgement may take beyond one try that the client had to give up
GIVE_UP_S = 30.0
CONVERGED_S = 60.0
MOVED_S = 40.0
BEFORE_COUNT, DURING_COUNT, AFTER_COUNT = 6, 6, 3

IN_CI = {
    Outage.FUNCTIONS: "aws",
    Outage.STORAGE: "azure",
    Outage.QUEUE: "gcp",
    Outage.LEDGER: "aws",
    Outage.EVERYTHING: "gcp",
    Outage.HUNG: "azure",
}
MOVING = [kind for kind in Outage if kind is not Outage.ANSWERS]
IS_COMPLETE = os.environ.get("SLUICE_ALL_OUTAGES") == "1"
CASES = [
    pytest.param(cloud, kind, id=f"{kind.value} on {cloud}")
    for kind in MOVING
    for cloud in ORDER
    if IS_COMPLETE or IN_CI[kind] == cloud
]
PAIRS = [("aws", "gcp"), ("gcp", "azure"), ("azure", "aws")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A receipt that a client got."""

    upload_id: str
    sha256: str
    by: str
    took_s: float


class Uploader:
    """A client that fails over by itself: the next cloud, the same Idempotency-Key."""

    def __init__(self, together: Together, *, first: str) -> None:
        self._urls = together.urls
        self._headers = {"Authorization": f"Bearer {together.settings.api_key}", "Content-Type": "text/plain"}
        self._order = (first, *(cloud for cloud in ORDER if cloud != first))

    def upload(self, content: bytes) -> Acknowledged:
        """Upload; try until it is acknowledged."""
        headers = {**self._headers, "Idempotency-Key": uuid.uuid4().hex}
        started_s = time.monotonic()
        for cloud in cycle(self._order):
            upload_id = self._try(cloud, content, headers)
            took_s = time.monotonic() - started_s
            if upload_id:
                digest = hashlib.sha256(content).hexdigest()
                return Acknowledged(upload_id=upload_id, sha256=digest, by=cloud, took_s=took_s)
            assert took_s < GIVE_UP_S, "no cloud acknowledges"
            headers["Sluice-Failed"] = cloud
        raise AssertionError("a cycle has no end")

    def _try(self, cloud: str, content: bytes, headers: Mapping[str, str]) -> str:
        """The upload's id if this cloud acknowledges it in time, else ""."""
        where = urlsplit(self._urls[cloud]).netloc
        with closing(http.client.HTTPConnection(where, timeout=CLIENT_TIMEOUT_S)) as connection:
            try:
                connection.request("POST", "/v1/uploads?name=file.txt", body=content, headers=dict(headers))
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                return ""
        assert answer.status in (201, 429, 500, 502, 503), body
        return json.loads(body)["upload_id"] if answer.status == 201 else ""


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    """The three clouds, quicker than deployed in trying again and in trusting again."""
    settings = Settings(copies=2, takeover_after_s=4, peer_timeout_s=2, lease_margin_s=2)
    watching = {"every-s": 1, "fail-count": 2, "recover-count": 3, "cool-down-s": 5, "pull-every": 2}
    with running_together(
        ORDER,
        tmp_path_factory.mktemp("clouds"),
        settings=settings,
        watch_options=[f"--{name}={value}" for name, value in watching.items()],
        keeps_objects=False,
        waits=Waits(function_timeout_s=10, hidden_s=12, longest_backoff_s=2.0),
    ) as running:
        yield running


@pytest.mark.parametrize(("cloud", "kind"), CASES)
def test_outage(together: Together, cloud: str, kind: Outage, capsys: pytest.CaptureFixture[str]) -> None:
    """No upload waits much longer than one try that is given up; the others do the work; all ledgers agree on it."""
    make_active(together, cloud)
    client = Uploader(together, first=cloud)
    acknowledged = [client.upload(f"before {kind} on {cloud}: {n}".encode()) for n in range(BEFORE_COUNT)]

    with outage(together, cloud, kind):
        during = [client.upload(f"during {kind} on {cloud}: {n}".encode()) for n in range(DURING_COUNT)]
        acknowledged += during
        moved_s = await_move(together, acknowledged, away_from=cloud)
    ended_s = time.monotonic()
    acknowledged += [client.upload(f"after {kind} on {cloud}: {n}".encode()) for n in range(AFTER_COUNT)]
    await_agreement(together, acknowledged)
    agreed_s = time.monotonic() - ended_s

    took_s = [each.took_s for each in during]
    with capsys.disabled():
        print(
            f"\n{kind} on {cloud}: acknowledged in {sorted(took_s)[len(took_s) // 2]:.2f} s (median) to"
            f" {max(took_s):.2f} s, {sum(each.by == cloud for each in during)} of {len(during)} by {cloud} itself;"
            f" recorded elsewhere, and another cloud active, {moved_s:.1f} s later;"
            f" all ledgers agree {agreed_s:.1f} s after the end"
        )
    assert max(took_s) <= CLIENT_TIMEOUT_S + GRACE_S


@pytest.mark.parametrize("cloud", ORDER if IS_COMPLETE else ORDER[:1])
def test_lost_answers(together: Together, cloud: str) -> None:
    """Whatever is done without anybody hearing of it, and so done again, every upload ends as one record."""
    make_active(together, cloud)
    client = Uploader(together, first=cloud)

    with outage(together, cloud, Outage.ANSWERS):
        acknowledged = [client.upload(f"answers lost on {cloud}: {n}".encode()) for n in range(4 * DURING_COUNT)]
    await_agreement(together, acknowledged)

    assert sum(door.fault_counts[FaultKind.DROP_ANSWER] for door in together.doors[cloud].own) > len(acknowledged)
    assert max(each.took_s for each in acknowledged) <= CLIENT_TIMEOUT_S + GRACE_S


@pytest.mark.parametrize(("one", "other"), PAIRS if IS_COMPLETE else PAIRS[:1])
def test_cut_between_two(together: Together, one: str, other: str) -> None:
    """Two clouds that do not reach each other stay one with the third: the ledgers agree while the cut lasts."""
    make_active(together, one)
    client = Uploader(together, first=one)

    with cut(together, one, other):
        acknowledged = [client.upload(f"cut {one} from {other}: {n}".encode()) for n in range(DURING_COUNT)]
        await_agreement(together, acknowledged)
        looks = {peer.cloud: peer.look() for peer in operators_peers(together)}

    assert {each.by for each in acknowledged} == {one}
    assert {look.route.active for look in looks.values() if look.route} == {one}


def make_active(together: Together, cloud: str) -> None:
    """Move the route there, as an operator would, and wait until every cloud holds it."""
    peers = operators_peers(together)

    def held_by_all() -> dict[str, Route] | None:
        looks = {peer.cloud: peer.look() for peer in peers}
        held = {name: look.route for name, look in looks.items() if look.route is not None}
        is_settled = len(held) == len(ORDER) and len(set(held.values())) == 1
        return held if is_settled and not any(look.failed for look in looks.values()) else None

    held = wait_until(held_by_all, timeout_s=CONVERGED_S, what="all clouds well, with one route")
    if held[cloud].active != cloud:
        made = move(held, {"active": cloud}, reason="a test", now_ms=clock_ms(), peers=peers, gather=ThreadGather())
        assert made.is_done


def operators_peers(together: Together) -> list[HttpPeer]:
    return connect_peers(find_clouds({}, path=str(together.peers_file)), clock_ms=clock_ms)


def await_move(together: Together, acknowledged: Sequence[Acknowledged], *, away_from: str) -> float:
    """Wait, while the outage lasts, until the others have recorded all uploads, and one of them is the active cloud.

    Returns:
        How long that took in seconds.
    """
    others = [name for name in ORDER if name != away_from]
    started_s = time.monotonic()

    def has_moved() -> bool:
        looks = [peer.look() for peer in operators_peers(together) if peer.cloud in others]
        return all(look.route is not None and look.route.active != away_from for look in looks)

    def unrecorded() -> list[str]:
        rows = [row for name in others for row in together.clouds[name].drilled.scan()]
        recorded = {str(row["upload_id"]) for row in rows if row.get("state") == "recorded"}
        return [each.upload_id for each in acknowledged if each.upload_id not in recorded]

    wait_until(lambda: not unrecorded(), timeout_s=MOVED_S, what="the others record all", interval_s=0.25)
    wait_until(has_moved, timeout_s=MOVED_S, what="another cloud is active", interval_s=0.25)
    return time.monotonic() - started_s


def await_agreement(together: Together, acknowledged: Sequence[Acknowledged]) -> None:
    """Wait until every ledger has every upload, recorded with the content that was acknowledged, in the same words."""
    wanted = {each.upload_id: each.sha256 for each in acknowledged}
    assert len(wanted) == len(acknowledged)

    def open_uploads() -> dict[str, dict[str, Any]]:
        """What each ledger says of those on which they do not agree yet."""
        rows = {name: rows_by_id(cloud.drilled.scan()) for name, cloud in together.clouds.items()}
        said = {upload_id: {name: word_of(rows[name].get(upload_id)) for name in rows} for upload_id in wanted}
        return {
            upload_id: words
            for upload_id, words in said.items()
            if len(set(words.values())) > 1 or words[ORDER[0]][:2] != ("recorded", wanted[upload_id])
        }

    last: dict[str, Any] = {}

    def is_agreed() -> bool:
        last.clear()
        last.update(open_uploads())
        return not last

    try:
        wait_until(is_agreed, timeout_s=CONVERGED_S, what="all ledgers agree", interval_s=0.25)
    except TimeoutError:
        pytest.fail(f"{len(last)} of {len(wanted)} uploads are not agreed on: {last}")


def rows_by_id(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(row["upload_id"]): row for row in rows}


def word_of(row: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What must be the same everywhere: state, content, by whom and when it was recorded, and no second content."""
    names = ("state", "sha256", "recorded_by", "recorded_at_ms", "conflicts")
    return tuple(str((row or {}).get(name, "")) for name in names)
