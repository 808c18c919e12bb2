"""Records of several clouds become one, in any order; versions of one key have one newest."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.merge import current_uploads, merge
from core.record import Record, State, deletion_record
from core.upload import Deleted, Deletion, Upload
from tests.unit.records import RECORDS, recorded


@given(a=RECORDS, b=RECORDS)
def test_commutative(a: Record, b: Record) -> None:
    """It does not matter who asks whom."""
    assert merge(a, b) == merge(b, a)


@given(a=RECORDS, b=RECORDS, c=RECORDS)
def test_associative(a: Record, b: Record, c: Record) -> None:
    """It does not matter which two meet first."""
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(a=RECORDS)
def test_idempotent(a: Record) -> None:
    """Meeting oneself changes nothing."""
    assert merge(a, a) == a


@given(a=recorded(), b=recorded())
def test_different_contents_are_kept_as_conflict(a: Record, b: Record) -> None:
    """No recorded content is forgotten: the earliest counts, the other contents are kept."""
    merged = merge(a, b)

    seen = {merged.sha256, *(sighting.sha256 for sighting in merged.conflicts)}
    assert merged.sighting == min(a.sighting, b.sighting)
    assert seen == {a.sha256, b.sha256, *(s.sha256 for s in (*a.conflicts, *b.conflicts))}


@given(a=RECORDS, b=recorded())
def test_recorded_wins(a: Record, b: Record) -> None:
    """A recorded upload stays recorded, whatever another ledger thinks."""
    assert merge(a, b).state is State.RECORDED


def test_two_uploads_do_not_merge() -> None:
    """Merging two uploads is a defect, not a conflict."""
    one, other = (upload(sequencer="1", version=v) for v in "ab")

    with pytest.raises(ValueError, match="two uploads"):
        merge(one, other)


def upload(*, sequencer: str, version: str) -> Record:
    """A recorded version of the key k."""
    found = Upload(upload_id=version, cloud="aws", bucket="b", key="k", version=version, sequencer=sequencer)
    return Record(upload=found, state=State.RECORDED, sha256=version)


def deletion(deleted: Deleted, *, sequencer: str, version: str = "") -> Record:
    """A deletion of the key k or of a version of it."""
    found = Deletion(deleted=deleted, cloud="aws", bucket="b", key="k", version=version, sequencer=sequencer)
    return deletion_record(found, at_ms=1)


HISTORIES = {
    "the newest counts": ([upload(sequencer="1", version="a"), upload(sequencer="2", version="b")], ["b"]),
    "a deleted key has none": (
        [upload(sequencer="1", version="a"), upload(sequencer="2", version="b"), deletion(Deleted.KEY, sequencer="3")],
        [],
    ),
    "created again after the deletion": (
        [deletion(Deleted.KEY, sequencer="2"), upload(sequencer="3", version="b"), upload(sequencer="1", version="a")],
        ["b"],
    ),
    "the newest version removed for good": (
        [
            upload(sequencer="1", version="a"),
            upload(sequencer="2", version="b"),
            deletion(Deleted.VERSION, sequencer="3", version="b"),
        ],
        ["a"],
    ),
    "the delete marker removed again": (
        [
            upload(sequencer="1", version="a"),
            deletion(Deleted.KEY, sequencer="2", version="m"),
            deletion(Deleted.VERSION, sequencer="3", version="m"),
        ],
        ["a"],
    ),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_newest_version_in_every_order_of_arrival(history: str) -> None:
    """Which version is current hangs on sequencers, never on the order of arrival."""
    records, current = HISTORIES[history]

    for order in itertools.permutations(records):
        assert [record.upload.version for record in current_uploads(order)] == current


@given(st.lists(RECORDS, max_size=4))
def test_current_uploads_are_some_of_the_given(records: list[Record]) -> None:
    """At most one record for each key, and no invented one."""
    current = current_uploads(records)

    assert len({r.upload.key for r in current if r.upload.cloud == "aws"}) == sum(
        r.upload.cloud == "aws" for r in current
    )
    assert all(record in records for record in current)


@given(a=recorded(), sequencers=st.permutations(["1", "2"]))
def test_later_place_in_the_keys_history_is_kept(a: Record, sequencers: list[str]) -> None:
    """The same recording, seen at two places of the key's history, stands at the later one."""
    one, other = (replace(a, upload=replace(a.upload, sequencer=sequencer)) for sequencer in sequencers)

    assert merge(one, other).upload.sequencer == "2"


@given(st.permutations([("", "a"), ("", "b"), ("1", "c"), ("1", "d")]), st.integers(1, 4))
def test_equal_sequencers_hang_on_no_order(versions: list[tuple[str, str]], count: int) -> None:
    """Where sequencers are equal or unknown, the order of arrival still decides nothing."""
    records = [upload(sequencer=sequencer, version=version) for sequencer, version in versions[:count]]

    assert current_uploads(records) == current_uploads(reversed(records))


def test_keys_have_histories_of_their_own() -> None:
    """A deletion says nothing of another key, nor of the same key in another bucket."""
    here = upload(sequencer="1", version="a")
    others = [replace(here, upload=replace(here.upload, **{name: "other"})) for name in ("cloud", "bucket", "key")]

    assert current_uploads([deletion(Deleted.KEY, sequencer="9"), here, *others]) == others
