"""How the records of several clouds, or of several versions of one key, become one answer.

`merge` is commutative, associative and idempotent, so ledgers may be exchanged in any order, any number of times.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from core.record import Record, Sighting, State, to_fields

_RANK = {state: rank for rank, state in enumerate(State)}


def merge(a: Record, b: Record) -> Record:
    """One record out of two of the same upload.

    The further state wins. Of two recordings the earliest wins, by (recorded_at_ms, cloud); when the contents differ
    (a mutable object was overwritten between two reads) the other one is kept under `conflicts`, for a person.
    """
    if a.upload.upload_id != b.upload.upload_id:
        raise ValueError(f"merge of two uploads: {a.upload.upload_id} and {b.upload.upload_id}")
    if a.state is b.state is State.RECORDED:
        return _merge_recorded(a, b)
    return max(a, b, key=_precedence)


def _precedence(record: Record) -> tuple[int, str, int, int, str]:
    # A total order: records that compare as equal are equal, so the largest of many does not hang on their order.
    return (
        _RANK[record.state],
        record.upload.sequencer,
        record.lease_until_at_ms,
        record.attempt,
        _text(record),
    )


def _merge_recorded(a: Record, b: Record) -> Record:
    # Of one recording at two places of the key's history the later place counts: min gives the first of equals.
    a, b = sorted((a, b), key=lambda record: record.upload.sequencer, reverse=True)
    winner = min(a, b, key=lambda record: (record.sighting, _text(_placeless(record))))
    earliest: dict[str, Sighting] = {}
    for sighting in sorted((a.sighting, b.sighting, *a.conflicts, *b.conflicts)):
        earliest.setdefault(sighting.sha256, sighting)
    del earliest[winner.sha256]
    return replace(winner, conflicts=tuple(earliest.values()))


def _placeless(record: Record) -> Record:
    return replace(record, conflicts=(), upload=replace(record.upload, sequencer=""))


def _text(record: Record) -> str:
    return repr(sorted(to_fields(record).items()))


def current_uploads(records: Iterable[Record]) -> list[Record]:
    """For each key the record of its newest version, by sequencer; nothing for a deleted key.

    Order of arrival does not matter: a late create does not revive a deleted object. Only a version whose sequencer is
    unknown (a sweep found it) is compared by time: the sweep saw it as the newest, so it follows what stood then.
    """
    records = list(records)
    removed = {_version_of(record) for record in records if record.state is State.REMOVED}
    histories: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        if _version_of(record) not in removed:
            histories.setdefault(_key_of(record), []).append(record)
    newest = [_newest(history) for history in histories.values()]
    return [record for record in newest if record.state is not State.DELETED]


def _newest(history: list[Record]) -> Record:
    placed = sorted((record for record in history if record.upload.sequencer), key=_place_of)
    unplaced = [record for record in history if not record.upload.sequencer]
    return max(placed[-1:] + unplaced, key=_time_of)


def _place_of(record: Record) -> tuple[str, int, str]:
    # Sequencers may be equal; then anything will do that does not hang on the order of arrival.
    return record.upload.sequencer, record.recorded_at_ms, record.upload.upload_id


def _time_of(record: Record) -> tuple[float, str, str]:
    # What is not recorded yet is later than what is. Of equals, a known place counts.
    return record.recorded_at_ms or math.inf, record.upload.sequencer, record.upload.upload_id


def _key_of(record: Record) -> tuple[str, str, str]:
    return record.upload.cloud, record.upload.bucket, record.upload.key


def _version_of(record: Record) -> tuple[str, str, str, str]:
    return (*_key_of(record), record.upload.version)
