"""The operator's commands about all clouds, on three clouds in memory; any of them can be made to fail."""

import io
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.errors import OutcomeUnknownError
from core.peer import Peer, RecordPage
from core.record import State
from core.route import Route, accept_route
from handlers.failover.command import main
from handlers.failover.view import Operator
from tests.unit.sites_in_memory import INITIAL, ORDER, Clouds, one_after_another


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The clouds log what these tests provoke."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


class Console:
    """An operator before three clouds: runs commands, and gives status, output and errors."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.clouds = Clouds()
        self.answer: bool | None = True  # None: nobody is there to ask
        self.questions: list[str] = []
        self.before_answer: Callable[[], None] = lambda: None
        self.peers: list[Peer] = self.clouds.peers_of("operator")
        self.tick_ms = 0  # by which each look at the clock moves it
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        operator = Operator(
            peers=self.peers,
            gather=one_after_another,
            clock_ms=self._clock_ms,
            connect=lambda cloud: self.clouds.services[cloud],
            ask=None if self.answer is None else self._ask,
        )
        status = main(list(arguments), make_operator=lambda _options: operator)
        shown = self._capsys.readouterr()
        return status, shown.out, shown.err

    def run_json(self, *arguments: str) -> tuple[int, Any]:
        status, out, _err = self.run(*arguments, "--json")
        return status, json.loads(out)

    def _clock_ms(self) -> int:
        self.clouds.now_ms += self.tick_ms
        return self.clouds.now_ms

    def _ask(self, question: str) -> bool:
        self.questions.append(question)
        self.before_answer()
        return bool(self.answer)


@pytest.fixture
def console(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def held(console: Console) -> list[tuple[str, int]]:
    """What each cloud holds, dead or not."""
    routes = [console.clouds.route(cloud) for cloud in ORDER]
    return [(route.active, route.epoch) for route in routes]


def test_status_shows_all_clouds(console: Console) -> None:
    """The route that counts, what each cloud can do, its vote, and what waits."""
    console.clouds.watch(*ORDER)
    console.clouds.ingest("aws", copies=2)

    status, out, _err = console.run("status")
    _status, shown = console.run_json("status")

    assert status == 0
    assert "Active: aws, epoch 0 (held by 3 of 3 clouds, 2 are needed; order aws, gcp, azure)" in out
    assert shown["route"]["active"] == "aws"
    assert shown["held_by"] == list(ORDER)
    assert set(shown["clouds"]["gcp"]["capabilities"].values()) == {"ok"}
    assert shown["clouds"]["gcp"]["work"] == {"visible_count": 1, "in_flight_count": 0}
    assert shown["clouds"]["azure"]["vote"]["seen"]["aws"]["ok_count"] == 1
    assert shown["replication"] == "not measured"


def test_status_with_dead_clouds(console: Console) -> None:
    """Dead clouds are named; the status fails only if none answers. A minority's route does not count."""
    console.clouds.dead |= {"aws", "gcp"}
    status, out, _err = console.run("status")
    console.clouds.dead.add("azure")
    status_of_none, shown = console.run_json("status")

    assert status == 0
    assert "aws cannot be asked: aws does not answer" in out
    assert "No route counts: 1 of 3 clouds tell theirs, 2 are needed." in out
    assert status_of_none == 1
    assert shown["route"] is None
    assert shown["clouds"]["aws"]["capabilities"]["api"] == "failed"
    assert shown["clouds"]["aws"]["capabilities"]["store"] == "unknown"


def test_status_tells_of_a_switch_that_reached_a_minority(console: Console) -> None:
    """The majority's route counts, and the newer one is named."""
    accept_route(console.clouds.services["gcp"].control, replace(INITIAL, active="gcp", epoch=1))

    _status, out, _err = console.run("status")

    assert "Active: aws, epoch 0 (held by 2 of 3 clouds" in out
    assert "Epoch 1 is held by a minority" in out


def test_switch_prints_its_plan_asks_and_is_done(console: Console) -> None:
    """All clouds hold the new route under the next epoch, with the operator's reason."""
    status, out, err = console.run("switch", "--to", "gcp", "--reason", "aws is slow")

    assert status == 0
    assert "Plan: switch: from aws, epoch 0 to gcp, epoch 1. It is done when 2 of 3 clouds hold it." in err
    assert "aws is preferred to gcp" in err
    assert out == "Done: gcp, epoch 1 is held by 3 of 3 clouds (aws, gcp, azure).\n"
    assert held(console) == [("gcp", 1)] * 3
    assert console.clouds.route("azure").reason == "aws is slow"
    assert console.questions == ["Go ahead? [y/N] "]


@pytest.mark.parametrize("answer", [False, None])
def test_nothing_changes_without_consent(console: Console, answer: bool | None) -> None:
    """No is no; where nobody can be asked, it takes --yes."""
    console.answer = answer

    status, _out, err = console.run("switch", "--to", "gcp")
    status_of_yes, _out, _err = console.run("switch", "--to", "gcp", "--yes")

    assert (status, status_of_yes) == (1, 0)
    assert "nothing was changed" in err
    assert held(console) == [("gcp", 1)] * 3


def test_switch_without_a_majority_is_refused(console: Console) -> None:
    """Nothing is changed anywhere, whatever is forced."""
    console.clouds.dead |= {"aws", "azure"}

    status, _out, err = console.run("switch", "--to", "gcp", "--yes", "--force")

    assert status == 1
    assert "1 of 3 clouds can be asked for their route; 2 are needed" in err
    assert held(console) == [("aws", 0)] * 3


@pytest.mark.parametrize("target", ["aws", "nowhere"])
def test_switch_that_makes_no_sense(console: Console, target: str) -> None:
    """A cloud that is active already needs no switch; one that does not exist is refused with those that do."""
    status, out, err = console.run("switch", "--to", target, "--yes", "--force")

    assert held(console) == [("aws", 0)] * 3
    if target == "aws":
        assert (status, out) == (0, "Nothing to do: a majority holds it already.\n")
    else:
        assert status == 1
        assert "there is no cloud 'nowhere'; there are: aws, gcp, azure" in err


def test_switch_to_a_cloud_that_is_not_well_takes_force(console: Console) -> None:
    """Dead or failing, the target is refused; with --force a majority takes it all the same."""
    console.clouds.dead.add("gcp")

    status, _out, err = console.run("switch", "--to", "gcp", "--yes")
    status_of_force, out, _err = console.run("switch", "--to", "gcp", "--yes", "--force")

    assert (status, status_of_force) == (1, 0)
    assert "gcp cannot be asked: gcp does not answer; with --force it is done all the same" in err
    assert "held by 2 of 3 clouds (aws, azure)" in out
    assert "take it from the others once they do" in out


def test_pinned_route_is_switched_only_after_unpin(console: Console) -> None:
    """Not even --force moves a pinned route; after unpin it moves."""
    pinned, _out, err_of_pin = console.run("pin", "--yes")

    status, _out, err = console.run("switch", "--to", "gcp", "--yes", "--force")
    unpinned, _out, _err = console.run("unpin", "--yes")
    status_after, _out, _err = console.run("switch", "--to", "gcp", "--yes")

    assert (pinned, status, unpinned, status_after) == (0, 1, 0, 0)
    assert "Pinned, aws stays active even when it fails" in err_of_pin
    assert "the route is pinned to aws: `sls failover unpin` first" in err
    assert held(console) == [("gcp", 3)] * 3


def test_hold_keeps_the_route_until_then(console: Console) -> None:
    """While it is held nothing moves by itself although the active cloud is dead; `--for-s 0` ends it."""
    clouds = console.clouds
    clouds.watch(*ORDER)
    status, result = console.run_json("hold", "--for-s", "600", "--yes")
    clouds.dead.add("aws")
    for _ in range(4):
        clouds.watch("gcp", "azure")
    active_while_held = clouds.route("gcp").active
    status_of_end, _out, _err = console.run("hold", "--for-s", "0", "--yes")

    for _ in range(4):
        clouds.watch("gcp", "azure")

    assert (status, status_of_end) == (0, 0)
    assert result["route"]["held_until_at_ms"] > 0
    assert result["is_done"] is True
    assert active_while_held == "aws"
    assert clouds.route("gcp").active == "gcp"


def test_who_was_quicker_is_told(console: Console) -> None:
    """A switch that somebody else makes while the question stands wins; ours changes nothing and says so."""
    theirs = Route(active="azure", order=ORDER, epoch=1, reason="theirs")
    console.before_answer = lambda: [  # type: ignore[assignment]
        accept_route(console.clouds.services[cloud].control, theirs) for cloud in ("gcp", "azure")
    ]

    status, out, _err = console.run("switch", "--to", "gcp")

    assert status == 1
    assert "Not done: gcp, epoch 1 is held by 1 of 3 clouds (aws)." in out
    assert "azure: another switch was quicker: it holds azure, epoch 1" in out
    assert held(console) == [("gcp", 1), ("azure", 1), ("azure", 1)]


def test_lost_answer_is_asked_for_again(console: Console) -> None:
    """A cloud that took the route and whose answer was lost is asked once more before it is called not done."""
    lossy = {"gcp": 1, "azure": 1}
    console.peers = [LosesAnswers(peer, lossy) for peer in console.peers]  # type: ignore[misc]

    status, out, _err = console.run("switch", "--to", "gcp", "--yes")

    assert (status, lossy) == (0, {"gcp": 0, "azure": 0})
    assert out.startswith("Done: gcp, epoch 1 is held by 3 of 3")


def test_peers_that_are_not_the_routes_clouds_are_refused(console: Console) -> None:
    """A majority is counted of the route's clouds: with one left out of the peers nothing is changed."""
    console.peers = [peer for peer in console.peers if peer.cloud != "azure"]

    status, _out, err = console.run("switch", "--to", "gcp", "--yes")

    assert status == 1
    assert "the route is of aws, gcp, azure, and asked were aws, gcp" in err


def test_reconcile_makes_the_ledgers_equal(console: Console) -> None:
    """What one ledger has settled stands in all afterwards; again changes nothing; the deep status measures both."""
    clouds = console.clouds
    clouds.ingest("aws", copies=1)
    clouds.dead |= {"gcp", "azure"}  # so that nobody is told
    clouds.work("aws")
    clouds.dead.clear()

    _status, before = console.run_json("status", "--deep")
    status, first = console.run_json("reconcile")
    status_again, again = console.run_json("reconcile")
    _status, after = console.run_json("status", "--deep")

    assert before["replication"]["missing_count"] == {"aws": 0, "gcp": 1, "azure": 1}
    assert (status, status_again) == (0, 0)
    assert sum(pair["changed_count"] for pair in first["pairs"]) == 2
    assert sum(pair["changed_count"] for pair in again["pairs"]) == 0
    assert after["replication"]["missing_count"] == {"aws": 0, "gcp": 0, "azure": 0}
    assert after["replication"]["differing_count"] == 0
    assert all(clouds.record(cloud).state is State.RECORDED for cloud in ORDER)  # type: ignore[union-attr]


def test_reconcile_goes_around_a_dead_cloud(console: Console) -> None:
    """The living ones are made equal, the dead one's pairs are named, and the status says that it is not all."""
    clouds = console.clouds
    clouds.ingest("gcp", copies=2)
    clouds.dead.add("azure")
    clouds.work("aws")  # and gcp is told
    clouds.dead = {"aws"}

    status, _out, err = console.run("reconcile")

    assert status == 1
    assert clouds.record("azure").state is State.RECORDED  # type: ignore[union-attr]
    assert "gcp to azure" not in err
    assert "aws to gcp was not finished: aws does not answer" in err
    assert "gcp to aws was not finished: aws does not answer" in err


def test_reconcile_stops_when_the_time_is_up(console: Console) -> None:
    """A ledger that never ends does not keep the operator for ever."""
    console.peers = [Endless(peer, console.clouds) for peer in console.peers]  # type: ignore[misc]

    status, _out, err = console.run("reconcile", "--for-s", "5")

    assert status == 1
    assert "the time is up before the ledger's end" in err


def test_drain_works_off_a_dead_clouds_queue(console: Console) -> None:
    """An upload whose functions are dead ends recorded elsewhere, and the queue is empty."""
    clouds = console.clouds
    clouds.services["aws"].store.put("k", io.BytesIO(b"direct"), size_bytes=6)
    upload = clouds.send_event("aws", "k")
    console.peers = [WorksMeanwhile(peer, clouds) for peer in console.peers]  # type: ignore[misc]
    console.tick_ms = 2_000  # as long as a real queue would wait for the message to come back

    status, result = console.run_json("drain", "--from", "aws", "--for-s", "60")

    assert (status, result["done_count"], result["is_empty"]) == (0, 1, True)
    assert clouds.record("gcp", upload.upload_id).state is State.RECORDED  # type: ignore[union-attr]
    assert clouds.services["aws"].work.depth().visible_count == 0


@pytest.mark.parametrize("for_s", ["-1", "a", "1.5", "", "999999999999"])
def test_times_that_make_no_sense_are_misuse(console: Console, for_s: str) -> None:
    """They end with status 2 before any cloud is asked."""
    with pytest.raises(SystemExit) as ended:
        console.run("hold", f"--for-s={for_s}", "--yes")

    assert ended.value.code == 2


class _Around:
    """A peer with something around it."""

    def __init__(self, peer: Peer) -> None:
        self.cloud = peer.cloud
        self._peer = peer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


class LosesAnswers(_Around):
    """Takes a route and loses its answer, as often as `left` says for its cloud."""

    def __init__(self, peer: Peer, left: dict[str, int]) -> None:
        super().__init__(peer)
        self._left = left

    def offer_route(self, route: Route) -> Route:
        taken = self._peer.offer_route(route)
        if self._left.get(self.cloud, 0):
            self._left[self.cloud] -= 1
            raise OutcomeUnknownError(f"{self.cloud}: no answer")
        return taken


class Endless(_Around):
    """Always has one more page; each takes a second."""

    def __init__(self, peer: Peer, clouds: Clouds) -> None:
        super().__init__(peer)
        self._clouds = clouds

    def records(self, *, after: str, limit: int) -> RecordPage:
        self._clouds.now_ms += 1_000
        return RecordPage(records=[], after=f"{after}x")


class WorksMeanwhile(_Around):
    """A cloud whose worker has done the work by the time that it is asked again."""

    def __init__(self, peer: Peer, clouds: Clouds) -> None:
        super().__init__(peer)
        self._clouds = clouds

    def take_work(self, upload: Any) -> State:
        state = self._peer.take_work(upload)
        self._clouds.work(self.cloud)
        return state
