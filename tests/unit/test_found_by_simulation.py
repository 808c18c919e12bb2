"""Faults between clouds that the simulation of three clouds found, each as its shortest case."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from core.errors import ProviderUnusableError, TransientError
from core.gather import Answer, Gathered
from core.outcome import Ending
from core.ports import Absence
from core.record import State, to_fields
from core.route import REASON_MAX_CHARS, Route, accept_route
from core.switch import current_route, move
from core.upload import Upload
from core.votes import Capability, Seen, Vote
from tests.unit.cloud_in_memory import MemoryCloud
from tests.unit.sites_in_memory import INITIAL, ORDER, POLICY, Clouds, one_after_another


def at(epoch: int, active: str = "aws", *, pinned: bool = False) -> Route:
    return replace(INITIAL, epoch=epoch, active=active, pinned=pinned)


def put_straight(clouds: Clouds) -> Upload:
    clouds.services["aws"].store.put("photo.png", io.BytesIO(b"content"), size_bytes=7)
    return clouds.send_event("aws", "photo.png")


def test_record_of_another_clouds_copy_keeps_its_place() -> None:
    """A sequencer orders one cloud's history: the event of our copy does not move the record of another's."""
    cloud = MemoryCloud()
    upload = replace(cloud.put(), sequencer="0005")
    cloud.pipeline.process(cloud.attempt(upload))
    theirs = replace(cloud.record(upload), upload=replace(upload, cloud="gcp", sequencer="0001"))
    row = cloud.ledger.get(upload.upload_id)
    assert row is not None
    cloud.ledger.put(upload.upload_id, to_fields(theirs), expect=row.version)

    outcome = cloud.pipeline.process(cloud.attempt(upload, owner="b"))

    assert outcome.ending is Ending.DUPLICATE
    assert cloud.record(upload) == theirs


def test_work_that_cannot_be_read_is_not_taken() -> None:
    """Without a copy and without a URL (its store could not sign one) a peer refuses, and parks nothing later."""
    clouds = Clouds()
    upload = put_straight(clouds)

    with pytest.raises(TransientError, match="no URL"):
        clouds.sites["gcp"].take_work(upload)

    assert clouds.record("gcp", upload.upload_id) is None
    assert clouds.services["gcp"].work.depth().visible_count == 0


def test_own_copy_is_sent_to_work_once() -> None:
    """A copy has an event of its own, so giving it again and again does not fill the queue."""
    clouds = Clouds()
    clouds.ingest("aws", copies=2)
    upload = clouds.send_event("aws", clouds.ticket().key)
    count = clouds.services["gcp"].work.depth().visible_count

    states = [clouds.sites["gcp"].take_work(upload) for _ in range(3)]

    assert states == [State.PENDING] * 3
    assert clouds.services["gcp"].work.depth().visible_count == count + 1


def test_what_was_handed_over_is_not_passed_on() -> None:
    """Two clouds that both cannot do it would give each other ever more work."""
    clouds = Clouds()
    upload = replace(put_straight(clouds), url="memory://aws-bucket/photo.png?version=1")
    clouds.sites["gcp"].take_work(upload)
    given: list[Upload] = []

    def unusable(_url: str) -> Absence:
        raise ProviderUnusableError("the bucket cannot be reached")

    worker = clouds.workers["gcp"]
    clouds.workers["gcp"] = replace(
        worker,
        pipeline=replace(worker.pipeline, fetch_url=unusable),  # type: ignore[arg-type]
        hand_over=given.append,  # type: ignore[arg-type]
    )

    assert clouds.work("gcp") == [False]
    assert given == []


def test_rival_of_the_same_epoch_is_overtaken() -> None:
    """A cloud that took the other of two switches to one epoch does not keep it for ever."""
    clouds = Clouds()
    for cloud, active in (("aws", "gcp"), ("gcp", "gcp"), ("azure", "azure")):
        accept_route(clouds.services[cloud].control, at(1, active, pinned=active == "gcp"))

    for _ in range(4):
        clouds.watch("aws")

    assert {(clouds.route(cloud).active, clouds.route(cloud).pinned) for cloud in ORDER} == {("gcp", True)}


@pytest.mark.parametrize("clouds", [("aws", "azure"), ("azure", "aws")])
def test_of_two_newest_routes_the_pinned_one_counts(clouds: tuple[str, str]) -> None:
    """When nobody can tell which of two a majority held, what a person pinned stays."""
    held = dict(zip(clouds, (at(5, "gcp", pinned=True), at(5, "azure")), strict=True))

    assert current_route(held, cloud_count=3) == at(5, "gcp", pinned=True)


def test_long_reason_does_not_make_a_switch_look_undone() -> None:
    """A reason is cut before it is offered, so that what comes back from a row is equal to it."""
    clouds = Clouds()
    held = {cloud: clouds.route(cloud) for cloud in ORDER}

    switch = move(
        held,
        {"active": "gcp"},
        reason="x" * (REASON_MAX_CHARS + 1),
        now_ms=clouds.now_ms,
        peers=clouds.peers_of("aws"),
        gather=one_after_another,
    )

    assert [clouds.route(cloud) for cloud in ORDER] == [switch.route] * 3


def test_switch_that_is_made_during_a_slow_look_is_left_alone() -> None:
    """A cloud saw two old routes and its own new one, and was then slow: the switch is done by now, and not undone."""
    clouds = Clouds()
    begun = clouds.now_ms

    def slow(tasks: Mapping[str, Callable[[], Answer]], *, needed: int, enough: int | None = None) -> Gathered[Answer]:
        is_look = clouds.now_ms == begun
        done = {name: tasks[name]() for name in ("aws", "gcp")}
        if is_look:
            for cloud in ORDER:
                pinned = replace(at(1, "gcp", pinned=True), changed_at_ms=begun)
                accept_route(clouds.services[cloud].control, pinned)
        gathered = one_after_another({"azure": tasks["azure"]}, needed=1)
        clouds.now_ms += 60_000
        return replace(gathered, done={**done, **gathered.done})

    result = replace(clouds.watches["azure"], gather=slow).run_round()

    assert result.switch is None
    assert {clouds.route(cloud) for cloud in ORDER} == {replace(at(1, "gcp", pinned=True), changed_at_ms=begun)}


@pytest.mark.parametrize(("fail_count", "may"), [(POLICY.fail_count, False), (POLICY.fail_count * 2, True)])
def test_others_leave_a_failover_to_the_next_cloud_for_a_while(fail_count: int, may: bool) -> None:
    """However long the next cloud has been well, the others offer the switch only when it is overdue."""
    clouds = Clouds()
    bad = Seen(failed=(Capability.API,), fail_count=fail_count)
    seen = {"aws": bad, "gcp": Seen(ok_count=10_000), "azure": Seen(ok_count=10_000)}
    own = Vote(voter="azure", at_ms=clouds.now_ms, seen=seen)
    order = ("azure", "aws", "gcp")
    route = replace(INITIAL, order=order)

    decided = replace(route, active="gcp", epoch=1)

    assert clouds.watches["azure"]._may_propose(decided, route, own) is may
