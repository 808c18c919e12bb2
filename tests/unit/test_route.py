"""The route: what a cloud takes, what a majority holds, what comes next."""

import itertools
from dataclasses import replace

import pytest

from core.ports import Fields
from core.route import (
    Route,
    accept_route,
    chosen_route,
    majority_of,
    next_route,
    read_route,
    route_from_fields,
    route_to_fields,
)
from providers.memory.ledger import MemoryLedger

ORDER = ("aws", "gcp", "azure")
START = Route(active="aws", order=ORDER)


def at(epoch: int, active: str = "aws", **change: object) -> Route:
    return replace(START, epoch=epoch, active=active, **change)  # type: ignore[arg-type]


def test_row_is_read_as_it_was_written() -> None:
    """All fields survive the way through a row."""
    route = at(7, "gcp", pinned=True, held_until_at_ms=5, flap_count=2, reason="because", changed_at_ms=9)

    assert route_from_fields(route_to_fields(route)) == route


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"wire": 2}, "wire"),
        ({"active": "ibm"}, "order"),
        ({"active": 3}, "active"),
        ({"epoch": -1}, "epoch"),
        ({"epoch": "1"}, "epoch"),
        ({"clouds": "{}"}, "clouds"),
        ({"clouds": '["aws", "aws"]'}, "order"),
        ({"clouds": "nonsense"}, "Expecting value"),
    ],
)
def test_nonsense_is_refused(change: Fields, named: str) -> None:
    """A route that makes no sense is refused, and the field is named."""
    with pytest.raises(ValueError, match=named):
        route_from_fields({**route_to_fields(START), **change})


@pytest.mark.parametrize(("count", "majority"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_majority(count: int, majority: int) -> None:
    """A majority is more than half."""
    assert majority_of(count) == majority


def test_cloud_that_was_never_told() -> None:
    """Without a row the initial route holds."""
    assert read_route(MemoryLedger(), initial=START) == START


def test_only_higher_epochs_are_taken() -> None:
    """A cloud takes a higher epoch, and answers every other route with the one that it holds."""
    control = MemoryLedger()
    accept_route(control, at(5, "gcp"))

    assert accept_route(control, at(5, "azure")) == at(5, "gcp")
    assert accept_route(control, at(4, "azure")) == at(5, "gcp")
    assert accept_route(control, at(6, "azure")) == at(6, "azure")
    assert read_route(control, initial=START) == at(6, "azure")


def test_same_route_again_is_taken() -> None:
    """An offer whose answer was lost may be repeated."""
    control = MemoryLedger()

    assert accept_route(control, at(1, "gcp")) == accept_route(control, at(1, "gcp")) == at(1, "gcp")


def test_two_switches_to_one_epoch_never_both_win() -> None:
    """In whatever order two offers of one epoch reach three clouds, at most one is held by a majority."""
    offers = [(cloud, route) for cloud in ORDER for route in (at(1, "gcp"), at(1, "azure"))]
    for order in itertools.permutations(offers):
        controls = {cloud: MemoryLedger() for cloud in ORDER}
        for cloud, route in order:
            accept_route(controls[cloud], route)

        held = [read_route(control, initial=START) for control in controls.values()]
        assert sum(held.count(route) >= 2 for route in (at(1, "gcp"), at(1, "azure"))) == 1


@pytest.mark.parametrize(
    ("held", "chosen"),
    [
        ({"aws": at(1), "gcp": at(1), "azure": at(1)}, at(1)),
        ({"aws": at(1), "gcp": at(1)}, at(1)),
        ({"aws": at(2, "gcp"), "gcp": at(2, "gcp"), "azure": at(1)}, at(2, "gcp")),
        ({"aws": at(2, "gcp"), "gcp": at(1), "azure": at(1)}, at(1)),
        ({"aws": at(2, "gcp"), "gcp": at(2, "azure"), "azure": at(1)}, None),
        ({"aws": at(1)}, None),
        ({}, None),
    ],
)
def test_what_counts_is_what_a_majority_of_all_holds(held: dict[str, Route], chosen: Route | None) -> None:
    """Neither the newest of a minority nor a majority of those that could be asked counts."""
    assert chosen_route(held, cloud_count=3) == chosen


def test_next_epoch_is_above_all() -> None:
    """A new route overtakes also what reached a minority only."""
    assert next_route({"aws": at(4), "gcp": at(6, "gcp")}, at(5, "azure")) == at(7, "azure")
