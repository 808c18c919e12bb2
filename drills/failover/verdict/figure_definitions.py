"""The figures of a drill: their ids, names, units, and what exactly each of them measures."""

from collections.abc import Mapping
from dataclasses import dataclass

from drills.failover.scenario import Road

_TRY_STEP_S = 0.25  # clients pause that long between two rounds of tries
_LOOK_STEP_S = 0.5  # ledgers are looked at twice a second, and so does a standby that may drain
_WATCH_STEP_S = 1.0  # clouds look at each other, and vote, once a second

_ROAD_NAMES = {
    Road.DNS: "DNS road",
    Road.API: "API road",
    Road.PRESIGNED: "presigned road",
    Road.BUCKET: "bucket road",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One figure.

    Attributes:
        unit: s, uploads, tries, share (0 to 1) or "".
        step: How far two drills of one build may be apart only because of when somebody looked, in `unit`.
        road: By which files must come for anything to be seen; how often they do counts like `step`.
    """

    id: str
    name: str
    unit: str
    text: str
    step: float = 0.0
    road: Road | None = None

    def step_at(self, per_s: Mapping[str, float]) -> float:
        """The step under a load of so many files a second, by road."""
        of_load = 1 / per_s[self.road] if self.road and per_s.get(self.road) else 0.0
        return max(self.step, of_load)


def _of_road(road: Road) -> list[Definition]:
    name = _ROAD_NAMES[road]
    return [
        Definition(
            id=f"rto_{road}_s",
            name=f"RTO, {name}",
            unit="s",
            text="From the first to the last failed try, each at the moment at which its client saw it fail, "
            "from the first fault on; 0 if fewer than two failed.",
            step=_TRY_STEP_S,
            road=road,
        ),
        Definition(
            id=f"wait_max_{road}_s",
            name=f"Longest wait, {name}",
            unit="s",
            text="Of one client with one file that it began to send after the first fault: from its first try to its "
            "acknowledgement, or until it gave up.",
            step=_TRY_STEP_S,
        ),
        Definition(
            id=f"first_success_{road}_s",
            name=f"First success, {name}",
            unit="s",
            text="From the first fault to the first acknowledgement of a file that was begun after it.",
            step=_TRY_STEP_S,
            road=road,
        ),
    ]


_OTHERS = (
    ("lost_count", "RPO: acknowledged uploads lost", "uploads", "Acknowledged, and recorded in no ledger at the end."),
    (
        "duplicate_count",
        "Duplicates",
        "uploads",
        "Records more than one for a file, after all ledgers are merged by upload id.",
    ),
    (
        "twice_executed_count",
        "Executed twice",
        "uploads",
        "Uploads of which more than one call of `process` says in its log that it recorded them. Allowed; the merge "
        "keeps one record.",
    ),
    ("error_share", "Uploads without acknowledgement", "share", "Files that no try got acknowledged, of all sent."),
    ("failed_try_count", "Failed tries", "tries", "Tries of clients that were not acknowledged, in the whole drill."),
    ("failed_try_share", "Share of failed tries", "share", "The same, of all tries."),
    (
        "detect_s",
        "Time to detect",
        "s",
        "From the first fault to the look after which a cloud's vote first suspects the faulty one, by the voter's "
        "clock.",
    ),
    (
        "switch_s",
        "Time to switch",
        "s",
        "From the first fault or action of an operator, whichever came first, to the moment at which a majority of "
        "the clouds was first seen to hold a route to another cloud. Looked at four times a second.",
    ),
    (
        "last_dns_client_s",
        "To the last DNS client",
        "s",
        "From the same moment to the start of the last try that still went by the name to the cloud that was left, "
        "before the last fault was over or the route came back.",
    ),
    (
        "queue_rto_s",
        "RTO of the queue",
        "s",
        "From the first fault to the first record of an object that was put into the faulty cloud's bucket during the "
        "fault. What functions recorded that were to be dead, before they were, does not count.",
    ),
    (
        "queue_wait_p95_s",
        "Bucket object to record, p95",
        "s",
        "Of the objects that were put into the faulty cloud's bucket during a fault: from the answer to the put to "
        "the record.",
    ),
    (
        "drain_begin_s",
        "Time to the drain",
        "s",
        "From the first fault until a standby began to work off the faulty cloud's queue.",
    ),
    (
        "drain_s",
        "Time to drain",
        "s",
        "From the first fault until everything is recorded that clients had put into the faulty cloud's bucket, while "
        "it was faulty, before the route moved.",
    ),
    (
        "back_s",
        "Time to fail back",
        "s",
        "From the end of the last fault, or of the operator's last action, to a majority that holds the route to the "
        "preferred cloud again.",
    ),
    (
        "converge_s",
        "Time to converge",
        "s",
        "From the same moment until all ledgers were first seen to agree on everything that was "
        "acknowledged before that end.",
    ),
    ("quiet_s", "Time to quiet", "s", "From the last client's answer until all ledgers were seen to agree on all."),
)

_STEPS = {
    "twice_executed_count": 1.0,
    "failed_try_count": 1.0,
    "failed_try_share": 0.01,
    "detect_s": _WATCH_STEP_S,
    "switch_s": _WATCH_STEP_S,
    "back_s": _WATCH_STEP_S,
    "last_dns_client_s": _TRY_STEP_S,
    "queue_rto_s": _LOOK_STEP_S,
    "queue_wait_p95_s": _LOOK_STEP_S,
    "drain_begin_s": _LOOK_STEP_S,
    "drain_s": _LOOK_STEP_S,
    "converge_s": _LOOK_STEP_S,
    "quiet_s": _LOOK_STEP_S,
}
_ROADS = {"last_dns_client_s": Road.DNS, "queue_rto_s": Road.BUCKET, "drain_s": Road.BUCKET}

DEFINITIONS = {
    each.id: each
    for each in (
        *(definition for road in Road for definition in _of_road(road)),
        *(
            Definition(id=id, name=name, unit=unit, text=text, step=_STEPS.get(id, 0.0), road=_ROADS.get(id))
            for id, name, unit, text in _OTHERS
        ),
    )
}
GOAL_IDS = tuple(DEFINITIONS)
