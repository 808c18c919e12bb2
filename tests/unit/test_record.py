"""The ledger's row format."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.record import REASON_MAX_CHARS, Record, State, describe, from_fields, to_fields
from core.upload import Upload
from tests.unit.records import RECORDS, recorded


@given(record=RECORDS)
def test_round_trip(record: Record) -> None:
    """What is written is read back the same."""
    assert from_fields(to_fields(record)) == record


@given(record=RECORDS)
def test_rows_are_flat(record: Record) -> None:
    """A row holds text and whole numbers only, and says its format."""
    fields = to_fields(record)

    assert {type(value) for value in fields.values()} <= {str, int}
    assert fields["wire"] == 1


def test_later_format_is_refused() -> None:
    """A row of a later format is not guessed at."""
    with pytest.raises(ValueError, match="wire format 2"):
        from_fields({"wire": 2, "state": "recorded"})


@given(
    record=RECORDS,
    name=st.sampled_from(["colour", "colour_ms", "colour_bytes", "colour_attempt"]),
    value=st.integers() | st.text(max_size=4),
)
def test_unknown_fields_are_left_out(record: Record, name: str, value: str | int) -> None:
    """A row to which a later version of the same format added a field can be read, whatever the field's name."""
    assert from_fields({**to_fields(record), name: value}) == record


@given(record=recorded().filter(lambda record: record.conflicts))
def test_unknown_fields_of_a_conflict_are_left_out(record: Record) -> None:
    """The same holds inside a conflict."""
    fields = dict(to_fields(record))
    fields["conflicts"] = json.dumps([entry | {"colour": "blue"} for entry in json.loads(str(fields["conflicts"]))])

    assert from_fields(fields) == record


@given(record=RECORDS)
def test_description_has_every_name(record: Record) -> None:
    """Operators and clients find every name, whatever the record's state."""
    names = {"upload_id", "cloud", "bucket", "key", "version", "state", "size_bytes", "sha256", "content_type"}

    assert names | {"recorded_at_ms", "reason", "facts", "conflicts"} <= describe(record).keys()


RECORD = Record(
    upload=Upload(upload_id="u", cloud="aws", bucket="b", key="k", version="v", size_bytes=0), state=State.PENDING
)


def test_zero_bytes_is_not_unknown() -> None:
    """An empty file is recorded with its size."""
    empty = replace(RECORD, size_bytes=0)

    assert from_fields(to_fields(empty)) == empty


def test_long_reason_is_cut() -> None:
    """A ledger's text has its limit, and an exception's message has none."""
    fields = to_fields(replace(RECORD, reason="x" * (REASON_MAX_CHARS + 1)))

    assert fields["reason"] == "x" * REASON_MAX_CHARS


def test_unknown_state_is_refused() -> None:
    """A state that only a later version knows is not guessed at."""
    with pytest.raises(ValueError, match="teleported"):
        from_fields({**to_fields(RECORD), "state": "teleported"})
