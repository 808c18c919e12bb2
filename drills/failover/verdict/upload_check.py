"""Compares every file that was sent with every ledger, in the ledgers' documented row format, without product code.

acknowledged ── recorded once in the merged ledger ── sha256 and size equal ── in every ledger, in the same words
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drills.failover.history import Row, Sent

RECORDED = "recorded"
_SAME_EVERYWHERE = ("state", "sha256", "size_bytes", "recorded_by", "recorded_at_ms", "conflicts")

Rows = Mapping[str, Row]  # of one upload, by the cloud in whose ledger they stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the ledgers say of one file.

    Attributes:
        faults: In words; empty if all is right.
        is_recorded: In one ledger at least. Of an object in a bucket: the one whose put was acknowledged.
        is_lost: Acknowledged and recorded nowhere.
        extra_count: Records more than one in the merged ledger.
        recorded_at_ms: By the record that the merge keeps; 0 if there is none.
        recorded_by: The cloud that made it, or "".
    """

    sent: Sent
    upload_id: str
    faults: tuple[str, ...]
    is_recorded: bool
    is_lost: bool
    extra_count: int
    recorded_at_ms: int
    recorded_by: str


def check_uploads(sent: Sequence[Sent], ledgers: Mapping[str, Sequence[Row]]) -> tuple[list[Checked], int]:
    """Check each file.

    Returns:
        The findings, and how many recorded or parked uploads belong to no file that was sent.
    """
    by_name = _rows_by_name(ledgers)
    found = [_check(each, by_name.pop(each.name, {}), list(ledgers)) for each in sent]
    foreign = [rows for uploads in by_name.values() for rows in uploads.values()]
    return found, sum(any(row.get("state") in (RECORDED, "parked") for row in rows.values()) for rows in foreign)


def _rows_by_name(ledgers: Mapping[str, Sequence[Row]]) -> dict[str, dict[str, dict[str, Row]]]:
    """{name: {upload id: {cloud: row}}}. Rows of deletions belong to no upload."""
    found: dict[str, dict[str, dict[str, Row]]] = defaultdict(lambda: defaultdict(dict))
    for cloud, rows in ledgers.items():
        for row in rows:
            if row.get("state") not in ("deleted", "removed"):
                name = str(row.get("key", "")).rpartition("/")[2]
                found[name][str(row.get("upload_id"))][cloud] = row
    return found


def _check(sent: Sent, uploads: Mapping[str, Rows], clouds: Sequence[str]) -> Checked:
    own = _own_uploads(sent, uploads)
    recorded = {upload_id: rows for upload_id, rows in own.items() if _is_recorded(rows.values())}
    upload_id = sent.upload_id or next(iter(recorded or own), "")
    is_lost = sent.is_acknowledged and not recorded
    faults = [f"acknowledged, and recorded in no ledger (there: {_states(own)})"] if is_lost else []
    if len(recorded) > 1:
        faults.append(f"recorded {len(recorded)} times: {', '.join(sorted(recorded))}")
    if sent.is_acknowledged and sent.upload_id and recorded and sent.upload_id not in recorded:
        faults.append(f"its receipt names {sent.upload_id}, which is not the one recorded")
    for rows in recorded.values():
        faults += _faults_of_record(sent, rows, clouds)
    recorded_at_ms, recorded_by = max((_recording(rows.values()) for rows in recorded.values()), default=(0, ""))
    return Checked(
        sent=sent,
        upload_id=upload_id,
        faults=tuple(faults),
        is_recorded=bool(recorded),
        is_lost=is_lost,
        extra_count=max(0, len(recorded) - 1),
        recorded_at_ms=recorded_at_ms,
        recorded_by=recorded_by,
    )


def _own_uploads(sent: Sent, uploads: Mapping[str, Rows]) -> dict[str, Rows]:
    """Those that this file must be one of. Each put into a bucket makes an object, and so an upload, of its own.

    What a put without an answer has left behind is no duplicate: the client was never told of it.
    """
    keys = {(each.cloud, each.key) for each in sent.attempts if each.key}
    if not keys:
        return dict(uploads)
    last = sent.attempts[-1]
    wanted = {(last.cloud, last.key)} if sent.is_acknowledged else keys
    return {
        upload_id: rows
        for upload_id, rows in uploads.items()
        if any((row.get("cloud"), row.get("key")) in wanted for row in rows.values())
    }


def _faults_of_record(sent: Sent, rows: Rows, clouds: Sequence[str]) -> list[str]:
    faults = []
    for cloud in clouds:
        row = rows.get(cloud, {})
        if row.get("state") != RECORDED:
            faults.append(f"missing in the ledger of {cloud} ({row.get('state', 'no row')})")
            continue
        if row.get("sha256") != sent.sha256:
            faults.append(f"sha256 in the ledger of {cloud} is {row.get('sha256')}, sent was {sent.sha256}")
        if int(row.get("size_bytes", -1)) != sent.size_bytes:
            faults.append(f"{row.get('size_bytes')} bytes in the ledger of {cloud}, sent were {sent.size_bytes}")
        if row.get("conflicts"):
            faults.append(f"two contents were recorded, says the ledger of {cloud}")
    said = {tuple(str(row.get(name, "")) for name in _SAME_EVERYWHERE) for row in rows.values()}
    if not faults and len(said) > 1:
        faults.append("the ledgers do not say the same of its record")
    return faults


def _is_recorded(rows: Iterable[Row]) -> bool:
    return any(row.get("state") == RECORDED for row in rows)


def _recording(rows: Iterable[Row]) -> tuple[int, str]:
    """When and by whom: of several recordings the earliest counts (docs/design.md, Merge)."""
    recorded = [row for row in rows if row.get("state") == RECORDED]
    return min((int(row["recorded_at_ms"]), str(row.get("recorded_by", ""))) for row in recorded)


def _states(uploads: Mapping[str, Rows]) -> str:
    states = [f"{row.get('state')} in {cloud}" for rows in uploads.values() for cloud, row in rows.items()]
    return ", ".join(states) or "no row"
