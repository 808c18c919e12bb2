"""Small histories, made by hand: eight files, three ledgers, one fault. Whole, or with one thing wrong."""

from dataclasses import replace
from typing import Any

from drills.failover.history import Attempt, Band, Event, History, Moments, Row, Sent

CLOUDS = ("aws", "gcp", "azure")
START_MS = 1_790_000_000_000
FAULT_MS, HEALED_MS, END_MS = START_MS + 10_000, START_MS + 20_000, START_MS + 30_000


def sent_by_api(number: int, *, at_ms: int, road: str = "api", failed: int = 0) -> Sent:
    """Acknowledged by gcp in 100 ms, after `failed` tries at aws of 50 ms each."""
    tries = [
        Attempt(cloud="aws", began_at_ms=at_ms + 50 * n, ended_at_ms=at_ms + 50 * n + 50, error="refused")
        for n in range(failed)
    ]
    last = Attempt(cloud="gcp", began_at_ms=at_ms + 50 * failed, ended_at_ms=at_ms + 50 * failed + 100)
    return Sent(
        road=road,
        name=f"{road}-{number}.bin",
        sha256=f"{number:064x}",
        size_bytes=number,
        upload_id=f"id-{road}-{number}",
        attempts=(*tries, last),
    )


def sent_to_bucket(number: int, *, at_ms: int) -> Sent:
    key = f"drill/0/bucket-{number}.bin"
    attempt = Attempt(cloud="aws", began_at_ms=at_ms, ended_at_ms=at_ms + 20, key=key)
    return Sent(
        road="bucket", name=f"bucket-{number}.bin", sha256=f"{number:064x}", size_bytes=number, attempts=(attempt,)
    )


def row_of(sent: Sent, *, after_ms: int = 500, **changes: Any) -> Row:
    """Its record."""
    key = sent.attempts[-1].key or f"u/{sent.upload_id}/{sent.name}"
    return {
        "upload_id": sent.upload_id or f"id-{sent.name}",
        "state": "recorded",
        "cloud": sent.attempts[-1].cloud,
        "bucket": "uploads",
        "key": key,
        "sha256": sent.sha256,
        "size_bytes": sent.size_bytes,
        "recorded_by": "gcp",
        "recorded_at_ms": sent.ended_at_ms + after_ms,
        **changes,
    }


def whole_history(**changes: Any) -> History:
    """Nothing is wrong: two files before the fault, four during it, two after it."""
    sent = (
        sent_by_api(1, at_ms=START_MS + 1_000),
        sent_to_bucket(2, at_ms=START_MS + 2_000),
        sent_by_api(3, at_ms=FAULT_MS, failed=2),
        sent_by_api(4, at_ms=FAULT_MS + 2_000, failed=1),
        sent_to_bucket(5, at_ms=FAULT_MS + 1_000),
        sent_to_bucket(6, at_ms=FAULT_MS + 3_000),
        sent_by_api(7, at_ms=HEALED_MS + 1_000),
        sent_to_bucket(8, at_ms=HEALED_MS + 2_000),
    )
    rows = tuple(row_of(each) for each in sent)
    whole = History(
        scenario={"name": "sample", "title": "A sample", "description": "By hand.", "seed": 1},
        about={
            "machine": {"cpu_count": 2, "python": "3.11.7", "platform": "Linux"},
            "target": "local",
            "copies": 2,
            "clouds": list(CLOUDS),
            "roads": ["api", "bucket"],
            "load_per_s": {"api": 0.5, "bucket": 4},
            "what_is_real": dict.fromkeys(CLOUDS, "nothing"),
        },
        goals={"rto_api_s": 4},
        started_at_ms=START_MS,
        finished_at_ms=END_MS + 5_000,
        phases=(("before", START_MS, FAULT_MS), ("during", FAULT_MS, HEALED_MS), ("after", HEALED_MS, END_MS)),
        bands=(Band(cloud="aws", fault="functions-dead", what="dead", from_at_ms=FAULT_MS, to_at_ms=HEALED_MS),),
        events=(Event(at_ms=FAULT_MS, kind="fault", cloud="aws", text="dead"),),
        moments=Moments(
            suspected_at_ms=FAULT_MS + 2_000,
            moved_at_ms=FAULT_MS + 3_500,
            back_at_ms=HEALED_MS + 5_000,
            drain_at_ms=FAULT_MS + 2_500,
            healed_agreed_at_ms=HEALED_MS + 4_000,
            load_ended_at_ms=END_MS,
            agreed_at_ms=END_MS + 2_000,
        ),
        sent=sent,
        ledgers=dict.fromkeys(CLOUDS, rows),
        executions={f"id-api-{number}": 1 for number in (1, 3, 4, 7)},
    )
    return replace(whole, **changes)


def with_rows(history: History, name: str, rows: tuple[Row, ...], *, clouds: tuple[str, ...] = CLOUDS) -> History:
    """In these clouds' ledgers other rows for one file."""
    ledgers = dict(history.ledgers)
    for cloud in clouds:
        others = tuple(row for row in ledgers[cloud] if not str(row["key"]).endswith(f"/{name}"))
        ledgers[cloud] = (*others, *rows)
    return replace(history, ledgers=ledgers)
