"""`decide`: a majority moves the route, a minority never does, and nothing flaps."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.route import Route, majority_of
from core.votes import Capability, Seen, SwitchPolicy, Vote, decide, vote_from_fields, vote_to_fields

ORDER = ("aws", "gcp", "azure")
POLICY = SwitchPolicy(fail_count=3, recover_count=5, cool_down_s=100, flap_window_s=1000, vote_valid_s=30)
NOW_MS = 10_000_000
ROUTE = Route(active="aws", order=ORDER, epoch=4, changed_at_ms=NOW_MS - 2_000_000)
BAD = Seen(failed=(Capability.STORE,), fail_count=3)
SHAKY = Seen(failed=(Capability.STORE,), fail_count=2)
WELL = Seen(ok_count=9)


def vote(voter: str, *, at_ms: int = NOW_MS, **seen: Seen) -> Vote:
    return Vote(voter=voter, at_ms=at_ms, seen={cloud: seen.get(cloud, WELL) for cloud in ORDER})


def decided(*votes: Vote, route: Route = ROUTE) -> Route | None:
    return decide(votes, route, now_ms=NOW_MS, policy=POLICY)


def test_majority_that_suspects_the_active_cloud_switches() -> None:
    """Two of three suspect it: the first in order that is trusted becomes active, at the next epoch, with a reason."""
    found = decided(vote("gcp", aws=BAD), vote("azure", aws=BAD))

    assert found is not None
    assert (found.active, found.epoch, found.changed_at_ms) == ("gcp", 5, NOW_MS)
    assert found.reason == "aws failed: store"


@pytest.mark.parametrize(
    "votes",
    [
        (),
        (vote("gcp", aws=BAD),),
        (vote("gcp", aws=BAD), vote("azure", aws=SHAKY)),
        (vote("gcp", aws=BAD), vote("azure", aws=BAD, at_ms=NOW_MS - 31_000)),
        (vote("gcp", aws=BAD), vote("azure", aws=BAD, at_ms=NOW_MS + 31_000)),
        (vote("gcp", aws=BAD), vote("ibm", aws=BAD)),
    ],
    ids=["nobody", "one", "too few looks", "too old", "from the future", "a stranger"],
)
def test_less_than_a_majority_stays(votes: tuple[Vote, ...]) -> None:
    """A minority, an old vote and a stranger's move nothing."""
    assert decided(*votes) is None


def test_next_in_order_when_the_first_is_bad_too() -> None:
    """A cloud that is not trusted is passed over."""
    found = decided(vote("gcp", aws=BAD, gcp=BAD), vote("azure", aws=BAD, gcp=BAD))

    assert found is not None
    assert found.active == "azure"


def test_all_unhealthy_stays() -> None:
    """With nobody better there is nothing to gain, and so no flapping."""
    assert decided(*(vote(voter, aws=BAD, gcp=BAD, azure=BAD) for voter in ORDER)) is None


@pytest.mark.parametrize("change", [{"pinned": True}, {"held_until_at_ms": NOW_MS + 1}], ids=["pinned", "held"])
def test_a_persons_word_counts(change: dict[str, int]) -> None:
    """Pinned or held, the route stays whatever fails."""
    route = replace(ROUTE, **change)  # type: ignore[arg-type]

    assert decided(*(vote(voter, aws=BAD) for voter in ORDER), route=route) is None


def test_hold_ends_by_itself() -> None:
    """A hold that is over holds nothing."""
    route = replace(ROUTE, held_until_at_ms=NOW_MS)

    assert decided(*(vote(voter, aws=BAD) for voter in ORDER), route=route) is not None


def test_clients_failures_are_evidence() -> None:
    """In a gray failure the looks are good and the clients fail; a majority that hears of it switches."""
    gray = replace(WELL, client_failure_count=POLICY.client_failure_count)

    found = decided(vote("gcp", aws=gray), vote("azure", aws=gray))

    assert found is not None
    assert (found.active, found.reason) == ("gcp", "aws failed: its clients fail, although it looks well")


def test_failback_after_good_looks_and_cool_down() -> None:
    """The preferred cloud becomes active again once a majority has long trusted it."""
    route = replace(ROUTE, active="azure")

    found = decided(vote("aws"), vote("gcp"), route=route)

    assert found is not None
    assert found.active == "aws"


@pytest.mark.parametrize(
    ("seen", "age_s"), [(Seen(ok_count=4), 2000), (WELL, 99), (SHAKY, 2000)], ids=["few looks", "cool-down", "shaky"]
)
def test_no_failback_too_early(seen: Seen, age_s: int) -> None:
    """Before that, it stays where it is."""
    route = replace(ROUTE, active="azure", changed_at_ms=NOW_MS - age_s * 1000)
    votes = [vote(voter, aws=seen, gcp=SHAKY) for voter in ORDER]

    assert decided(*votes, route=route) is None


def test_flapping_doubles_the_cool_down() -> None:
    """Each switch soon after another one makes the next failback wait twice as long."""
    switched = decided(
        *(vote(voter, aws=BAD) for voter in ORDER), route=replace(ROUTE, changed_at_ms=NOW_MS - 1000, flap_count=1)
    )
    assert switched is not None
    assert switched.flap_count == 2

    for age_s, is_back in ((399, False), (401, True)):
        route = replace(switched, changed_at_ms=NOW_MS - age_s * 1000)
        assert (decided(*(vote(voter) for voter in ORDER), route=route) is not None) is is_back


SEENS = st.builds(
    lambda good, count, client: Seen(
        failed=() if good else (Capability.API,),
        fail_count=0 if good else count,
        ok_count=count if good else 0,
        client_failure_count=client,
    ),
    st.booleans(),
    st.integers(1, 6),
    st.sampled_from([0, 25]),
)
VOTES = st.lists(
    st.builds(
        Vote,
        voter=st.sampled_from(ORDER),
        at_ms=st.integers(NOW_MS - 40_000, NOW_MS + 40_000),
        seen=st.dictionaries(st.sampled_from(ORDER), SEENS),
    ),
    unique_by=lambda each: each.voter,
    max_size=3,
)


@given(votes=VOTES, active=st.sampled_from(ORDER), age_s=st.integers(0, 3000), pinned=st.booleans())
def test_laws(votes: list[Vote], active: str, age_s: int, pinned: bool) -> None:
    """A decision goes one epoch up, to a cloud that a majority sees well, in whatever order the votes are read."""
    route = replace(ROUTE, active=active, changed_at_ms=NOW_MS - age_s * 1000, pinned=pinned)

    found = decide(votes, route, now_ms=NOW_MS, policy=POLICY)

    again = decide(votes[::-1], route, now_ms=NOW_MS, policy=POLICY)
    assert (found and found.active) == (again and again.active)
    if found is None:
        return
    assert not pinned
    assert (found.epoch, found.order) == (route.epoch + 1, ORDER)
    assert found.active != active
    well = [v for v in votes if v.seen.get(found.active, Seen()).ok_count > 0]
    assert len(well) >= majority_of(3)


def test_vote_is_read_as_it_was_written() -> None:
    """All fields survive the way through a row."""
    found = vote("gcp", aws=BAD)

    assert vote_from_fields(vote_to_fields(found)) == found


@pytest.mark.parametrize("change", [{"wire": 9}, {"seen": "[]"}, {"seen": '{"aws": {}}'}, {"seen": "x"}])
def test_nonsense_is_no_vote(change: Mapping[str, str | int]) -> None:
    """What cannot be read raises the one error that its readers expect."""
    with pytest.raises(ValueError, match=r".+"):
        vote_from_fields({**vote_to_fields(vote("aws")), **change})
