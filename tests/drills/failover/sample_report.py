"""A report as a drill of `functions-dead` gives it, made by a small model with chance from a seed.

The numbers are invented; they only have the shape of real ones. Nothing of the product is used here but the anchors.
"""

import random
from typing import Any

from drills.failover.verdict.anchors import ANCHORS

START_AT_MS = 1_795_564_800_000
LENGTH_S, FAULT_S, SWITCH_S, HEAL_S, BACK_S = 90, 20, 24, 55, 68
RATES = {"dns": 6, "presigned": 4, "bucket": 5}
CLOUDS = ("aws", "gcp", "azure")
HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&\u202egpj.exe\x00\ud800"


def sample_report(*, seed: int = 1, length_s: int = LENGTH_S) -> dict[str, Any]:
    """A drill that passed."""
    chance = random.Random(seed)
    seconds = [row for second in range(length_s) for row in _second(second, chance)]
    ok_count = sum(row["ok_count"] for row in seconds)
    return {
        "version": 1,
        "scenario": {
            "name": "functions-dead",
            "title": "The functions of the active cloud die",
            "description": "AWS runs no function any more; its buckets, queue and ledger work. They come back.",
            "seed": seed,
        },
        "verdict": "passed",
        "failures": [],
        "started_at_ms": START_AT_MS - 12_000,
        "finished_at_ms": START_AT_MS + length_s * 1000 + 9_000,
        "machine": {"cpu_count": 2, "python": "3.11.2", "platform": "Linux 6.1"},
        "target": "local",
        "copies": 2,
        "clouds": list(CLOUDS),
        "roads": list(RATES),
        "what_is_real": {
            cloud: f"Real      the function's code of {cloud}, the HTTP requests, the bytes\n"
            "Emulated  its services, on this machine\nNot shown permissions, limits, a network\n"
            for cloud in CLOUDS
        },
        "phases": [
            _between("before", 0, FAULT_S),
            _between("during", FAULT_S, HEAL_S),
            _between("after", HEAL_S, length_s),
        ],
        "bands": [_band("aws", "functions dead", FAULT_S, HEAL_S), _band("gcp", "answers 300 ms late", 34, 44)],
        "events": _events(),
        "seconds": seconds,
        "figures": _figures(),
        "latency_ms": {
            road: {
                "before": {"count": 20 * rate, "p50": 31, "p95": 58, "p99": 90},
                "during": {"count": 35 * rate, "p50": 38, "p95": 3120, "p99": 3480},
                "after": {"count": 35 * rate, "p50": 30, "p95": 61, "p99": 101},
            }
            for road, rate in RATES.items()
        },
        "uploads": {
            "sent_count": ok_count + 2,
            "acknowledged_count": ok_count,
            "recorded_count": ok_count + 1,
            "lost_count": 0,
            "duplicate_count": 0,
            "twice_executed_count": 3,
            "not_acknowledged_but_recorded_count": 1,
        },
        "wrong_uploads": [],
        "anchors": [dict(anchor) for anchor in ANCHORS],
    }


def failed_report() -> dict[str, Any]:
    """The same drill of a build that loses uploads and records some twice, a day later."""
    report = sample_report(seed=2)
    report["verdict"] = "failed"
    report["failures"] = ["2 acknowledged uploads are lost", "RTO, DNS road: 9.4, and the goal is at most 6"]
    report["started_at_ms"] += 86_400_000
    report["finished_at_ms"] += 86_400_000
    report["uploads"] |= {"lost_count": 2, "duplicate_count": 1}
    report["wrong_uploads"] = [
        {"upload_id": "6f0d8e0a-6f62-5e59-9f0c-0d7f8f2d1a11", "road": "dns", "faults": ["lost", "in no ledger"]},
        {"upload_id": "b3a5c9de-1a5f-5b7e-8a51-35c6a0d44c02", "road": "bucket", "faults": ["recorded twice"]},
    ]
    figure_of(report, "rto_dns_s").update(value=9.4, met=False)
    figure_of(report, "lost_count").update(value=2, met=False)
    return report


def hostile_report() -> dict[str, Any]:
    """Every text of the report, names included, tries to break out."""
    report = failed_report()
    report["scenario"] |= {"name": HOSTILE, "title": HOSTILE, "description": HOSTILE}
    report["failures"] = [HOSTILE]
    report["clouds"] = ["aws", "gcp", HOSTILE]
    report["roads"] = ["dns", HOSTILE]
    report["target"] = HOSTILE
    report["machine"] = {"cpu_count": 2, "python": HOSTILE, "platform": HOSTILE}
    report["what_is_real"] = {HOSTILE: HOSTILE}
    report["wrong_uploads"] = [{"upload_id": HOSTILE, "road": HOSTILE, "faults": [HOSTILE]}]
    report["anchors"] = [{"what": HOSTILE, "rto": HOSTILE, "rpo": HOSTILE, "source": HOSTILE}]
    report["latency_ms"][HOSTILE] = report["latency_ms"]["dns"]
    for row in report["seconds"][::7]:
        row |= {"cloud": HOSTILE, "road": HOSTILE}
    for row in report["events"]:
        row["text"] = HOSTILE
    for row in report["bands"]:
        row |= {"cloud": HOSTILE, "what": HOSTILE}
    for row in report["figures"]:
        row |= {"name": HOSTILE, "definition": HOSTILE, "goal": HOSTILE, "unit": HOSTILE}
    return report


def figure_of(report: dict[str, Any], figure_id: str) -> dict[str, Any]:
    figure: dict[str, Any] = next(each for each in report["figures"] if each["id"] == figure_id)
    return figure


def _second(second: int, chance: random.Random) -> list[dict[str, Any]]:
    rows = []
    for road, rate in RATES.items():
        is_dead, is_moved = FAULT_S <= second < HEAL_S, SWITCH_S <= second < BACK_S
        cloud = "aws" if road == "bucket" or not is_moved else "gcp"
        error_count = rate if is_dead and cloud == "aws" and road != "bucket" else 0
        rows.append(_row(second, road, cloud, 0 if error_count else rate + chance.randint(-2, 1), error_count, chance))
        if road == "presigned" and second % 3 == 0:
            rows.append(_row(second, road, "azure", 2, 0, chance))
        if error_count and second >= FAULT_S + 2:
            rows.append(_row(second, road, "gcp", 2, 0, chance))
    return rows


def _row(second: int, road: str, cloud: str, ok_count: int, error_count: int, chance: random.Random) -> dict[str, Any]:
    slow = 3000 if FAULT_S <= second < SWITCH_S + 2 and road != "bucket" else 0
    median_ms = round(slow / 2 + chance.lognormvariate(3.4, 0.25))
    return {
        "at_ms": START_AT_MS + second * 1000,
        "road": road,
        "cloud": cloud,
        "ok_count": ok_count,
        "error_count": error_count,
        "p50_ms": median_ms if ok_count else None,
        "max_ms": round(median_ms * chance.uniform(1.2, 4)) if ok_count else None,
    }


def _between(name: str, from_s: int, to_s: int) -> dict[str, Any]:
    return {"name": name, "from_at_ms": START_AT_MS + from_s * 1000, "to_at_ms": START_AT_MS + to_s * 1000}


def _band(cloud: str, what: str, from_s: int, to_s: int) -> dict[str, Any]:
    return {"cloud": cloud, "what": what} | {
        key: value for key, value in _between("", from_s, to_s).items() if key != "name"
    }


def _events() -> list[dict[str, Any]]:
    told = [
        (-5.0, "route", "aws", "aws, epoch 0"),
        (-5.0, "dns", "aws", "uploads.drill.test leads to aws"),
        (FAULT_S, "fault", "aws", "functions dead"),
        (FAULT_S + 2.2, "health", "aws", "gcp suspects it: api, function"),
        (FAULT_S + 2.9, "health", "aws", "azure suspects it: api, function"),
        (SWITCH_S - 0.4, "route", "gcp", "gcp, epoch 1, held by gcp, azure"),
        (SWITCH_S + 0.7, "dns", "gcp", "uploads.drill.test leads to gcp"),
        (34, "fault", "gcp", "answers 300 ms late"),
        (44, "heal", "gcp", "answers again as before"),
        (HEAL_S, "heal", "aws", "functions started"),
        (HEAL_S + 3.1, "health", "aws", "azure sees it well again"),
        (HEAL_S + 3.8, "health", "aws", "gcp sees it well again"),
        (BACK_S, "route", "aws", "aws, epoch 2, held by all"),
        (BACK_S + 0.9, "dns", "aws", "uploads.drill.test leads to aws"),
        (LENGTH_S - 1, "note", "", "all ledgers agree"),
    ]
    return [
        {"at_ms": START_AT_MS + round(at_s * 1000), "kind": kind, "cloud": cloud, "text": text}
        for at_s, kind, cloud, text in told
    ]


def _figures() -> list[dict[str, Any]]:
    failed = "From the first to the last failed try, as clients saw it, from the first fault on; 0 if fewer than two."
    of = [
        ("rto_dns_s", "RTO, DNS road", 4.62, "s", failed, "≤ 6", True),
        ("rto_presigned_s", "RTO, presigned road", 3.9, "s", failed, "≤ 6", True),
        ("rto_bucket_s", "RTO, bucket road", 0.0, "s", failed, "≤ 4", True),
        ("lost_count", "RPO: acknowledged uploads lost", 0, "uploads", "Recorded in no ledger at the end.", "0", True),
        ("duplicate_count", "Duplicates", 0, "uploads", "Records more than one for a file, after merging.", "0", True),
        (
            "error_share",
            "Uploads without acknowledgement",
            0.0013,
            "share",
            "Files never acknowledged, of all.",
            "",
            None,
        ),
        ("detect_s", "Time to detect", 2.2, "s", "From the first fault to the first vote that suspects it.", "", None),
        (
            "switch_s",
            "Time to switch",
            3.6,
            "s",
            "From the first fault to a majority that holds another route.",
            "",
            None,
        ),
        ("queue_rto_s", "RTO of the queue", 2.71, "s", "To the first record of an object put meanwhile.", "≤ 3", True),
        ("drain_s", "Time to drain", None, "s", "Until everything put by then is recorded.", "", None),
        ("converge_s", "Time to converge", 6.35, "s", "Until all ledgers agree.", "≤ 30", True),
    ]
    keys = ("id", "name", "value", "unit", "definition", "goal", "met")
    return [dict(zip(keys, each, strict=True)) for each in of]
