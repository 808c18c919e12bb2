"""What each cloud has seen of all clouds, and what follows: stay, or switch.

Why clients' own failures count as evidence: in a gray failure the detector says fine while users fail ("Gray failure:
the Achilles' heel of cloud-scale systems", HotOS 2017). Why all unhealthy means stay: moving then helps nobody.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from core.ports import Fields
from core.route import Route, majority_of

WIRE_VERSION = 1


class Capability(StrEnum):
    """What a cloud must be able to do to serve."""

    API = "api"  # its HTTP API answers
    STORE = "store"
    QUEUE = "queue"
    LEDGER = "ledger"
    FUNCTION = "function"  # an object that is put comes through queue and function into the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one voter has seen of one cloud.

    Attributes:
        failed: The capabilities that failed at the last look.
        fail_count: Bad looks in a row, up to the last one; 0 if that was good.
        ok_count: Good looks in a row, likewise. One of the two is 0.
        client_failure_count: Failures that clients told this voter of, in the last minute.
    """

    failed: tuple[Capability, ...] = ()
    fail_count: int = 0
    ok_count: int = 0
    client_failure_count: int = 0

    def after(self, failed: Sequence[Capability], *, client_failure_count: int) -> "Seen":
        """What is seen after one more look."""
        return Seen(
            failed=tuple(sorted(failed)),
            fail_count=self.fail_count + 1 if failed else 0,
            ok_count=0 if failed else self.ok_count + 1,
            client_failure_count=client_failure_count,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one cloud says of all clouds, itself included. `at_ms` is of its last look, by its own clock."""

    voter: str
    at_ms: int
    seen: Mapping[str, Seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchPolicy:
    """How quick to leave a cloud, and how slow to come back.

    Attributes:
        fail_count: Bad looks in a row after which a voter suspects a cloud.
        recover_count: Good looks in a row after which a voter trusts it again with the active role.
        client_failure_count: Failures of clients within a minute that count as suspicion, whatever the looks say.
        vote_valid_s: How old a vote may be; must exceed the longest pause between looks and the skew between clocks.
        cool_down_s: Shortest time between two switches by itself, but for an active cloud that fails.
        flap_window_s: A switch within this time of the last one counts as flapping.
        flap_max_count: Doublings of the cool-down at most.
    """

    fail_count: int = 3
    recover_count: int = 12
    client_failure_count: int = 20
    vote_valid_s: int = 90
    cool_down_s: int = 300
    flap_window_s: int = 1800
    flap_max_count: int = 5


def decide(votes: Sequence[Vote], route: Route, *, now_ms: int, policy: SwitchPolicy) -> Route | None:
    """The route that should follow, with the next epoch, or None to stay.

    - A majority of all clouds (not of those that voted) suspects the active one: the first in order that a majority
      trusts becomes active. A cloud without a fresh vote suspects nobody, so a minority never switches.
    - Nobody else is trusted: stay. All unhealthy is no reason to move.
    - A majority has long trusted a cloud that is preferred to the active one, and the cool-down is over: fail back.
    - Pinned or held: stay.

    Args:
        votes: One per voter at most; those that are too old are left out.
        now_ms: By the clock of whoever decides; votes carry their voters' clocks.
    """
    if route.pinned or now_ms < route.held_until_at_ms:
        return None
    fresh = [vote for vote in votes if vote.voter in route.order and _is_fresh(vote, now_ms, policy)]
    candidates = [cloud for cloud in route.order if cloud != route.active and _is_trusted(cloud, fresh, route)]
    suspicions = [reason for vote in fresh if (reason := _suspicion(vote, route.active, policy))]
    if len(suspicions) >= majority_of(len(route.order)):
        if not candidates:
            return None
        return _switched(route, candidates[0], f"{route.active} failed: {suspicions[0]}", now_ms, policy)
    if now_ms - route.changed_at_ms < _cool_down_ms(route, policy):
        return None
    for cloud in route.order[: route.order.index(route.active)]:
        if cloud in candidates and _is_recovered(cloud, fresh, route, policy):
            return _switched(route, cloud, f"{cloud} is well again", now_ms, policy)
    return None


def _is_fresh(vote: Vote, now_ms: int, policy: SwitchPolicy) -> bool:
    return abs(now_ms - vote.at_ms) <= policy.vote_valid_s * 1000


def _suspicion(vote: Vote, cloud: str, policy: SwitchPolicy) -> str:
    """Why a voter suspects a cloud; "" if it does not."""
    seen = vote.seen.get(cloud, Seen())
    if seen.fail_count >= policy.fail_count:
        return ", ".join(seen.failed) or "no answer"
    if seen.client_failure_count >= policy.client_failure_count:
        return "its clients fail, although it looks well"
    return ""


def _is_trusted(cloud: str, fresh: Sequence[Vote], route: Route) -> bool:
    """Whether a majority of all clouds saw it well at their last look, and none of its clients' failures."""
    well = [vote for vote in fresh if vote.seen.get(cloud, Seen()).ok_count > 0]
    return len(well) >= majority_of(len(route.order))


def _is_recovered(cloud: str, fresh: Sequence[Vote], route: Route, policy: SwitchPolicy) -> bool:
    well = [
        vote
        for vote in fresh
        if vote.seen.get(cloud, Seen()).ok_count >= policy.recover_count and not _suspicion(vote, cloud, policy)
    ]
    return len(well) >= majority_of(len(route.order))


def _cool_down_ms(route: Route, policy: SwitchPolicy) -> int:
    return policy.cool_down_s * 1000 << min(route.flap_count, policy.flap_max_count)


def _switched(route: Route, active: str, reason: str, now_ms: int, policy: SwitchPolicy) -> Route:
    is_flapping = now_ms - route.changed_at_ms < policy.flap_window_s * 1000 and route.epoch > 0
    return replace(
        route,
        active=active,
        epoch=route.epoch + 1,
        flap_count=route.flap_count + 1 if is_flapping else 0,
        reason=reason,
        changed_at_ms=now_ms,
    )


def vote_to_fields(vote: Vote) -> Fields:
    seen = {
        cloud: {
            "failed": list(each.failed),
            "fail_count": each.fail_count,
            "ok_count": each.ok_count,
            "client_failure_count": each.client_failure_count,
        }
        for cloud, each in vote.seen.items()
    }
    return {"wire": WIRE_VERSION, "voter": vote.voter, "at_ms": vote.at_ms, "seen": json.dumps(seen)}


def vote_from_fields(fields: Fields) -> Vote:
    """Read a row, or the JSON of `vote_to_fields` that a peer sent.

    Raises:
        ValueError: It is no vote of this version.
    """
    if fields.get("wire") != WIRE_VERSION:
        raise ValueError(f"wire is {fields.get('wire')!r}; this version of Sluice reads votes of {WIRE_VERSION}")
    try:
        seen = {
            str(cloud): Seen(
                failed=tuple(Capability(name) for name in each["failed"]),
                fail_count=int(each["fail_count"]),
                ok_count=int(each["ok_count"]),
                client_failure_count=int(each["client_failure_count"]),
            )
            for cloud, each in json.loads(str(fields["seen"])).items()
        }
        return Vote(voter=str(fields["voter"]), at_ms=int(fields["at_ms"]), seen=seen)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no vote: {type(error).__name__} {error}") from error
