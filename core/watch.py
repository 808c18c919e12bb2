"""What each cloud does every few seconds: look at all clouds, say what it saw, and move the route if that is due.

look at every cloud ──> own vote, kept where the others read it ──> decide on all votes ──> offer the new route
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.errors import StepError
from core.evidence import count_failures
from core.gather import Gather
from core.peer import Look, Peer
from core.ports import Ledger
from core.route import Route, accept_route, chosen_route, next_route
from core.site import VOTE_ROW, Site
from core.switch import NoMajorityError, Switch, current_route, offer
from core.votes import Capability, Seen, SwitchPolicy, Vote, decide, vote_from_fields, vote_to_fields

log = logging.getLogger("sluice")

_NO_ANSWER = (Capability.API,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round came to. `switch` is None if nothing was to be moved."""

    looks: Mapping[str, Look]
    vote: Vote
    route: Route | None
    switch: Switch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Watches from one cloud.

    Attributes:
        peers: All clouds, this one (`site`) among them.
        settle_after_s: How old a switch that reached a minority only must be before it is overtaken: whoever makes it
            may still be at it.
    """

    site: Site
    peers: Sequence[Peer]
    policy: SwitchPolicy
    gather: Gather
    clock_ms: Callable[[], int]
    settle_after_s: int = 10

    def run_round(self) -> Round:
        """Look, vote, and decide once. What fails is left to the next round."""
        began_at_ms = self.clock_ms()
        gathered = self.gather({peer.cloud: peer.look for peer in self.peers}, needed=len(self.peers))
        looks = gathered.done
        vote = self._vote(looks)
        held = {cloud: look.route for cloud, look in looks.items() if look.route is not None}
        try:
            route = current_route(held, cloud_count=len(self.peers))
            votes = [vote, *_votes_of_others(looks, vote)]
            switch = self._move(held, route, votes, seen_at_ms=began_at_ms)
        except NoMajorityError:
            route, switch = None, None
        except StepError as error:
            log.warning("watch: %s", error)
            switch = None
        if switch is not None:
            log.warning("route %s: %s", "moved" if switch.is_done else "not moved", switch.route)
        return Round(looks=looks, vote=vote, route=route, switch=switch)

    def _vote(self, looks: Mapping[str, Look]) -> Vote:
        """See how the looks went, and keep that for the next round and for the others."""
        control, now_ms = self.site.services.control, self.clock_ms()
        try:
            row = control.get(VOTE_ROW)
            before = vote_from_fields(row.fields).seen if row else {}
        except (StepError, ValueError):
            row, before = None, {}
        seen = {
            peer.cloud: before.get(peer.cloud, Seen()).after(
                looks[peer.cloud].failed if peer.cloud in looks else _NO_ANSWER,
                client_failure_count=_failures(control, peer.cloud, now_ms),
            )
            for peer in self.peers
        }
        vote = Vote(voter=self.site.cloud, at_ms=now_ms, seen=seen)
        try:
            control.put(VOTE_ROW, vote_to_fields(vote), expect=row.version if row else None)
        except StepError as error:
            log.warning("watch: the vote cannot be kept: %s", error)
        return vote

    # A switch that others are still at shows as two routes; so does one that was broken off, or that lost against
    # another one to the same epoch. How old it is counts from the look: since then it may have been finished.
    def _move(
        self, held: Mapping[str, Route], route: Route, votes: Sequence[Vote], *, seen_at_ms: int
    ) -> Switch | None:
        chosen = chosen_route(held, cloud_count=len(self.peers))
        now_ms = self.clock_ms()
        rivals = [each for each in held.values() if chosen is None or (each != chosen and each.epoch >= chosen.epoch)]
        if chosen is None or rivals:
            if seen_at_ms - max(each.changed_at_ms for each in rivals) < self.settle_after_s * 1000:
                return None
            return self._offer(next_route(held, replace(route, changed_at_ms=now_ms)))
        if self.site.cloud in held and held[self.site.cloud].epoch < chosen.epoch:
            accept_route(self.site.services.control, chosen)
        decided = decide(votes, chosen, now_ms=now_ms, policy=self.policy)
        if decided is None or not self._may_propose(decided, chosen, votes[0]):
            return None
        return self._offer(next_route(held, decided))

    def _may_propose(self, decided: Route, route: Route, own: Vote) -> bool:
        """All clouds come to the same decision. The one that is to become active makes it; others when it does not."""
        if decided.active == self.site.cloud:
            return True
        rank = 1 + [cloud for cloud in route.order if cloud != decided.active].index(self.site.cloud)
        active, wanted = own.seen[route.active], own.seen[decided.active]
        overdue = active.fail_count - self.policy.fail_count
        if overdue < 0:  # not the active one's failure but the other one's recovery is the reason, as seen from here
            overdue = wanted.ok_count - self.policy.recover_count
        return overdue >= rank * self.policy.fail_count

    def _offer(self, route: Route) -> Switch:
        return offer(route, peers=self.peers, gather=self.gather)


def _votes_of_others(looks: Mapping[str, Look], own: Vote) -> list[Vote]:
    votes = [look.vote for look in looks.values() if look.vote is not None]
    return [vote for vote in votes if vote.voter != own.voter]


def _failures(control: Ledger, cloud: str, now_ms: int) -> int:
    try:
        return count_failures(control, cloud=cloud, now_ms=now_ms)
    except StepError:
        return 0
