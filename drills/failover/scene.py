"""What a drill needs of the clouds that it plays on: where they are, and how they are seen, broken and read.

Local ones are started by `drills.failover.surroundings`; deployed ones are found by `drills.failover.deployed`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from drills.failover.history import Row
from drills.failover.load.bucket_clients import PutObject
from drills.failover.load.clients import BucketRoad, ListRoad, PresignedRoad
from drills.failover.load.sending import Client, Patience
from drills.failover.scenario import Road, Target, TimedFault
from drills.failover.verdict.control_rows import CastVote, HeldRoute

LookAtCloud = Callable[[], tuple[HeldRoute | None, CastVote | None]]  # raises LookFailedError
MakePut = Callable[[float], PutObject]  # with the time limit of a put, in seconds
MakeNameRoad = Callable[[Patience], Client]


class LookFailedError(Exception):
    """A cloud's route and vote, or its ledger, cannot be read now; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the drill looks, and what it takes for a suspicion.

    Attributes:
        control_s: Between two looks at routes, votes and the name.
        ledgers_s: Between two looks at all ledgers.
        fail_count: Bad looks in a row after which a vote counts as a suspicion.
    """

    control_s: float
    ledgers_s: float
    fail_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a drill plays.

    Attributes:
        urls: Of each cloud's API, the preferred cloud first.
        peers_file: For the operator's commands.
        make_name_road: None where there is no name.
        puts: Of each cloud into whose bucket the drill can put.
        read_ledgers: Each cloud's rows in the documented format. Raises LookFailedError.
        make_fault: The fault, from entering to leaving.
        plan_fault: What it changes that nobody can throw away afterwards, in lines; of local clouds that is nothing.
        name_status_url: Of our own DNS server, that tells where the name leads; "" where there is none.
        drain_logs: Of standbys that drain a queue.
        log_folders: Of each cloud's functions; empty where their logs cannot be read.
    """

    target: Target
    urls: Mapping[str, str]
    api_key: str = field(repr=False)
    peers_file: Path
    make_name_road: MakeNameRoad | None
    puts: Mapping[str, MakePut]
    looks: Mapping[str, LookAtCloud]
    read_ledgers: Callable[[], Mapping[str, tuple[Row, ...]]]
    make_fault: Callable[[TimedFault], AbstractContextManager[None]]
    plan_fault: Callable[[TimedFault], Sequence[str]] = lambda _: ()
    pace: Pace
    name_status_url: str = ""
    drain_logs: tuple[Path, ...] = ()
    log_folders: Mapping[str, Path] = field(default_factory=dict)
    what_is_real: Mapping[str, str]

    @property
    def roads(self) -> list[Road]:
        """Those that can be gone here."""
        can_be_gone = {Road.DNS: self.make_name_road is not None, Road.BUCKET: bool(self.puts)}
        return [road for road in Road if can_be_gone.get(road, True)]

    def make_clients(self, patience: Patience, *, first_bucket: str) -> dict[Road, Client]:
        """One for each road that there is here."""
        clients: dict[Road, Client] = {
            Road.API: ListRoad(self.urls, patience),
            Road.PRESIGNED: PresignedRoad(self.urls, patience),
        }
        if self.make_name_road is not None:
            clients[Road.DNS] = self.make_name_road(patience)
        buckets = sorted(self.puts, key=lambda cloud: cloud != first_bucket)
        if buckets:
            clients[Road.BUCKET] = BucketRoad({cloud: self.puts[cloud](patience.try_timeout_s) for cloud in buckets})
        return clients
