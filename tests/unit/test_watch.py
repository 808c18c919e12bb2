"""Watching: a majority moves the route, and everybody learns of it."""

import logging
from dataclasses import replace

import pytest

from core.errors import TransientError
from core.probe import PROBE_KEY, note_probe
from core.route import accept_route
from core.switch import NoMajorityError, move
from core.votes import Capability
from tests.unit.sites_in_memory import INITIAL, ORDER, Clouds, one_after_another


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The watch logs what these tests provoke."""
    caplog.set_level(logging.CRITICAL, logger="sluice")


def test_all_well_stays() -> None:
    """Nothing is written to the route while nothing is wrong."""
    clouds = Clouds()

    for _ in range(5):
        clouds.watch(*ORDER)

    assert {clouds.route(cloud).epoch for cloud in ORDER} == {0}


def test_dead_active_cloud_is_left() -> None:
    """Two clouds agree that the active one is dead: the next in order becomes active, at one epoch."""
    clouds = Clouds()
    clouds.watch(*ORDER)
    clouds.dead.add("aws")

    for _ in range(3):
        clouds.watch("gcp", "azure")

    assert [(clouds.route(cloud).active, clouds.route(cloud).epoch) for cloud in ("gcp", "azure")] == [("gcp", 1)] * 2


def test_cloud_that_comes_back_learns_the_route_and_is_active_again() -> None:
    """It takes the route that the majority holds; after good looks and the cool-down the work comes back."""
    clouds = Clouds()
    clouds.watch(*ORDER)
    clouds.dead.add("aws")
    for _ in range(3):
        clouds.watch("gcp", "azure")
    clouds.dead.clear()

    clouds.watch(*ORDER)
    assert clouds.route("aws").active == "gcp"
    for _ in range(40):
        clouds.watch(*ORDER)

    assert {(clouds.route(cloud).active, clouds.route(cloud).epoch) for cloud in ORDER} == {("aws", 2)}


def test_lonely_cloud_never_switches() -> None:
    """A cloud that sees nobody else keeps its route, whatever it thinks."""
    clouds = Clouds()
    clouds.watch(*ORDER)
    clouds.dead.update(("aws", "azure"))

    for _ in range(10):
        clouds.watch("gcp")

    assert clouds.route("gcp").epoch == 0


def test_all_dead_stays() -> None:
    """When every cloud is unwell nothing moves, so nothing flaps."""
    clouds = Clouds()
    clouds.watch(*ORDER)
    for services in clouds.services.values():
        services.store.put = fail  # type: ignore[method-assign]

    for _ in range(10):
        clouds.watch(*ORDER)

    assert {clouds.route(cloud).epoch for cloud in ORDER} == {0}


def fail(*_arguments: object, **_named: object) -> None:
    raise TransientError("no")


def test_switch_that_reached_a_minority_is_overtaken() -> None:
    """A broken-off switch is left alone while it may go on, and then overtaken by the next epoch with the old value."""
    clouds = Clouds()
    clouds.watch(*ORDER)
    broken_off = replace(INITIAL, active="azure", epoch=1, changed_at_ms=clouds.now_ms)
    accept_route(clouds.services["azure"].control, broken_off)

    clouds.watch(*ORDER)
    assert [clouds.route(cloud).epoch for cloud in ORDER] == [0, 0, 1]
    for _ in range(3):
        clouds.watch(*ORDER)

    assert {(clouds.route(cloud).active, clouds.route(cloud).epoch) for cloud in ORDER} == {("aws", 2)}


def test_operator_switches_with_a_majority_only() -> None:
    """With two of three clouds a switch is done; with one of three it is refused, and nothing is written."""
    clouds = Clouds()
    held = {cloud: clouds.route(cloud) for cloud in ("aws", "gcp")}

    done = move(
        held,
        {"active": "gcp"},
        reason="a person said so",
        now_ms=clouds.now_ms,
        peers=clouds.peers_of("aws"),
        gather=one_after_another,
    )
    assert done.is_done

    with pytest.raises(NoMajorityError):
        move(
            {"aws": done.route},
            {"active": "azure"},
            reason="alone",
            now_ms=clouds.now_ms,
            peers=clouds.peers_of("aws"),
            gather=one_after_another,
        )
    assert {clouds.route(cloud).active for cloud in ORDER} == {"gcp"}


def test_stale_controller_changes_nothing() -> None:
    """Whoever decided on an old epoch is refused everywhere, and told what is held instead."""
    clouds = Clouds()
    for cloud in ORDER:
        accept_route(clouds.services[cloud].control, replace(INITIAL, active="gcp", epoch=5))

    held = [site.offer_route(replace(INITIAL, active="azure", epoch=3)) for site in clouds.sites.values()]

    assert {(route.active, route.epoch) for route in held} == {("gcp", 5)}


def test_probe_that_does_not_come_through_shows_a_dead_function() -> None:
    """The function counts as dead when its probe is overdue, and as well again when one came through."""
    clouds = Clouds()
    probe = replace(clouds.sites["aws"].probe, function_stale_s=30)

    assert probe.check().failed == ()
    clouds.now_ms += 31_000
    assert probe.check().failed == (Capability.FUNCTION,)

    note_probe(clouds.services["aws"].control, at_ms=clouds.now_ms)
    assert probe.check().failed == ()


def test_few_probes_are_put_however_many_look() -> None:
    """Looks between two probes tell what became of the last one, good or bad, and put nothing."""
    clouds = Clouds()
    store = clouds.services["aws"].store
    probe = clouds.sites["aws"].probe
    probe.check()
    version = store.find(PROBE_KEY)

    probe.check()
    assert store.find(PROBE_KEY) == version
    clouds.now_ms += 10_000
    store.put = fail  # type: ignore[method-assign]
    assert [probe.check().failed, probe.check().failed] == [(Capability.STORE,)] * 2

    del store.put  # type: ignore[method-assign]
    clouds.now_ms += 10_000
    assert probe.check().failed == ()


def test_probe_goes_the_way_of_an_upload_and_is_none() -> None:
    """The worker notes a probe's event; it is neither recorded nor handled."""
    clouds = Clouds()
    clouds.sites["aws"].look()
    clouds.send_event("aws", PROBE_KEY)

    assert clouds.work("aws") == [True]

    assert clouds.handled == []
    assert clouds.services["aws"].ledger.page().rows == []
    assert clouds.services["aws"].control.get("probe-came") is not None
