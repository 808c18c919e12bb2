"""The judge finds what is wrong with a history, and finds nothing where nothing is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drill_histories import CLOUDS, FAULT_MS, row_of, sent_by_api, sent_to_bucket, whole_history, with_rows

from drills.failover.history import Attempt, History, Moments, Sent, load_history, save_history
from drills.failover.verdict.judge import judge

BROKEN_BUILD = Path(__file__).with_name("broken_build.json")


def faults_of(report: dict[str, Any], upload_id: str) -> str:
    return "; ".join(
        fault for each in report["wrong_uploads"] if each["upload_id"] == upload_id for fault in each["faults"]
    )


def test_whole_history_passes() -> None:
    """With every file accounted for and every goal met there is nothing to say."""
    report = judge(whole_history())

    assert (report["verdict"], report["failures"], report["wrong_uploads"]) == ("passed", [], [])
    assert report["uploads"]["acknowledged_count"] == report["uploads"]["recorded_count"] == 8


def test_history_of_a_broken_build_fails() -> None:
    """A saved history: one acknowledged upload lost, one recorded twice, one with wrong bytes, one in two ledgers."""
    report = judge(load_history(BROKEN_BUILD))

    assert report["verdict"] == "failed"
    assert (report["uploads"]["lost_count"], report["uploads"]["duplicate_count"]) == (1, 1)
    assert "recorded in no ledger" in faults_of(report, "id-api-1")
    assert "recorded 2 times" in faults_of(report, "id-api-3")
    assert "sha256" in faults_of(report, "id-api-4")
    assert "missing in the ledger of azure" in faults_of(report, "id-api-7")
    assert len(report["wrong_uploads"]) == 4


def test_lost_upload() -> None:
    """Acknowledged and recorded nowhere is lost, also where a pending row tells of it."""
    history = whole_history()
    pending = row_of(history.sent[0], state="pending", sha256="", recorded_by="", recorded_at_ms=0)

    report = judge(with_rows(history, "api-1.bin", (pending,)))

    assert (report["verdict"], report["uploads"]["lost_count"]) == ("failed", 1)
    assert "pending in aws" in faults_of(report, "id-api-1")


def test_lost_object() -> None:
    """An object that a bucket took and no ledger knows is lost, too."""
    report = judge(with_rows(whole_history(), "bucket-5.bin", ()))

    assert report["uploads"]["lost_count"] == 1
    assert "no row" in faults_of(report, "bucket-5.bin")


def test_duplicate() -> None:
    """Two records for one file, in whichever ledgers they stand, are one too many after the merge."""
    history = whole_history()
    other = row_of(history.sent[0], upload_id="another-id", key="u/another-id/api-1.bin")
    own = row_of(history.sent[0])

    report = judge(with_rows(history, "api-1.bin", (own, other), clouds=("gcp",)))

    assert (report["verdict"], report["uploads"]["duplicate_count"]) == ("failed", 1)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sha256": "f" * 64}, "sha256 in the ledger of gcp"),
        ({"size_bytes": 99}, "99 bytes in the ledger of gcp"),
        ({"state": "parked"}, "missing in the ledger of gcp (parked)"),
        ({"conflicts": "[{}]"}, "two contents were recorded"),
        ({"recorded_by": "azure"}, "do not say the same"),
    ],
)
def test_one_ledger_says_something_else(changes: dict[str, Any], fault: str) -> None:
    """A single ledger with another word for one upload is seen."""
    history = whole_history()

    report = judge(with_rows(history, "api-1.bin", (row_of(history.sent[0], **changes),), clouds=("gcp",)))

    assert report["verdict"] == "failed"
    assert fault in faults_of(report, "id-api-1")


def test_whole_ledger_missing() -> None:
    """A ledger that is empty is missing every upload."""
    history = whole_history()

    report = judge(replace(history, ledgers={**history.ledgers, "azure": ()}))

    assert len(report["wrong_uploads"]) == len(history.sent)


def test_receipt_of_another_upload() -> None:
    """A receipt that names another id than the one recorded was no receipt of this file."""
    history = whole_history()
    sent = (replace(history.sent[0], upload_id="never-seen"), *history.sent[1:])

    assert "its receipt names" in faults_of(judge(replace(history, sent=sent)), "never-seen")


def test_record_of_nothing_that_was_sent() -> None:
    """A recorded upload that nobody sent does not go unnoticed."""
    history = whole_history()
    foreign = row_of(sent_by_api(99, at_ms=FAULT_MS))

    report = judge(replace(history, ledgers={cloud: (*history.ledgers[cloud], foreign) for cloud in CLOUDS}))

    assert report["failures"] == ["1 uploads in the ledgers belong to no file that was sent"]


def test_file_without_receipt_may_be_recorded() -> None:
    """What nobody acknowledged may be recorded all the same; it is counted, and must then be the same everywhere."""
    history = whole_history()
    tried = Attempt(cloud="aws", began_at_ms=FAULT_MS, ended_at_ms=FAULT_MS + 3_000, error="no answer in time")
    unsure = replace(history.sent[0], name="unsure.bin", upload_id="", attempts=(tried,))
    row = row_of(unsure, upload_id="id-unsure", key="u/id-unsure/unsure.bin")
    everywhere = {cloud: (*history.ledgers[cloud], row) for cloud in CLOUDS}

    report = judge(replace(history, sent=(*history.sent, unsure), ledgers=everywhere))
    in_one = judge(
        replace(history, sent=(*history.sent, unsure), ledgers={**history.ledgers, "gcp": everywhere["gcp"]})
    )

    assert (report["verdict"], report["uploads"]["not_acknowledged_but_recorded_count"]) == ("passed", 1)
    assert in_one["verdict"] == "failed"


def test_object_of_an_unanswered_put_is_no_duplicate() -> None:
    """A put without an answer may have made an object; the one that was acknowledged is the one that counts."""
    history = whole_history()
    first = Attempt(cloud="aws", began_at_ms=FAULT_MS, ended_at_ms=FAULT_MS + 9, error="put", key="drill/0/twice.bin")
    second = Attempt(cloud="gcp", began_at_ms=FAULT_MS + 9, ended_at_ms=FAULT_MS + 20, key="drill/1/twice.bin")
    twice = Sent(road="bucket", name="twice.bin", sha256="a" * 64, size_bytes=1, attempts=(first, second))
    rows = (
        row_of(twice, upload_id="one", cloud="aws", key=first.key),
        row_of(twice, upload_id="two", cloud="gcp", key=second.key),
    )
    only_first = {cloud: (*history.ledgers[cloud], rows[0]) for cloud in CLOUDS}
    both = {cloud: (*history.ledgers[cloud], *rows) for cloud in CLOUDS}
    sent = (*history.sent, twice)

    assert judge(replace(history, sent=sent, ledgers=both))["verdict"] == "passed"
    assert judge(replace(history, sent=sent, ledgers=only_first))["uploads"]["lost_count"] == 1


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"goals": {"rto_api_s": 0.01}}, "RTO, API road: 2, and the goal is at most 0.01"),
        ({"goals": {"switch_s": 9}, "moments": Moments(agreed_at_ms=1)}, "Time to switch: not measured"),
        ({"moments": Moments()}, "the ledgers did not agree within the time allowed"),
        ({"troubles": ("the operator's command did not succeed",)}, "the operator's command did not succeed"),
    ],
)
def test_drill_that_went_wrong(changes: dict[str, Any], failure: str) -> None:
    """A missed goal, an unmeasured one, ledgers that never agreed, and trouble with the drill itself fail it."""
    report = judge(whole_history(**changes))

    assert report["verdict"] == "failed"
    assert any(each.startswith(failure) for each in report["failures"])


def test_drill_without_load_fails() -> None:
    """Where nothing was sent by a road after the fault, nothing was shown."""
    history = whole_history()
    sent = tuple(each for each in history.sent if each.road == "api" or each.began_at_ms < FAULT_MS)

    report = judge(replace(history, sent=sent))

    assert "nothing was sent by the bucket road after the first fault" in report["failures"]


def test_saved_history_is_judged_the_same(tmp_path: Path) -> None:
    """Saving and loading changes nothing."""
    history = whole_history()
    save_history(history, tmp_path / "history.json")

    loaded: History = load_history(tmp_path / "history.json")

    assert json.dumps(judge(loaded)) == json.dumps(judge(history))


def test_history_of_another_version_is_refused(tmp_path: Path) -> None:
    """What a later version saved is not guessed at."""
    (tmp_path / "history.json").write_text('{"version": 2}')

    with pytest.raises(ValueError, match="version 1"):
        load_history(tmp_path / "history.json")


def test_unacknowledged_object_needs_no_record() -> None:
    """A put that failed everywhere is an error of the road, not a loss."""
    history = whole_history()
    bucket = sent_to_bucket(9, at_ms=FAULT_MS)
    refused = replace(bucket, attempts=(replace(bucket.attempts[0], error="refused"),))

    assert judge(replace(history, sent=(*history.sent, refused)))["verdict"] == "passed"
