"""What the ledger says of one upload: its states, its wire format, and how two ledgers' records become one.

    pending ──> claimed ──> recorded
       ^          │ │ └───> gone       deleted or overwritten before it could be read; nothing is left to do
       └──────────┘ └─────> parked     given up with a reason; a redrive or a new event claims it again

Rows of the states `deleted` and `removed` stand for a deletion (`core.upload.Deletion`), not for an upload.
"""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from core.errors import HandlingError
from core.ports import Fields, Row
from core.upload import Deleted, Deletion, Upload, deletion_id_of

WIRE_VERSION = 1

# A text field of a ledger holds 32,000 characters on every cloud; UTF-8 bytes are never fewer than characters.
FACTS_MAX_BYTES = 32_000
REASON_MAX_CHARS = 1_000


class State(StrEnum):
    """In the order in which a merge prefers them, least first."""

    PENDING = "pending"
    CLAIMED = "claimed"
    PARKED = "parked"
    GONE = "gone"
    RECORDED = "recorded"
    DELETED = "deleted"  # the key
    REMOVED = "removed"  # one version of it


_NUMBERS = (*("attempt", "lease_until_at_ms", "recorded_at_ms", "size_bytes", "declared_size_bytes", "accepted_at_ms"),)
_STATE_OF = {Deleted.KEY: State.DELETED, Deleted.VERSION: State.REMOVED}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Sighting:
    """One recording of an upload's content, ordered by which of several counts."""

    recorded_at_ms: int
    recorded_by: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The state of one upload.

    Attributes:
        attempt: Number of the claim that stands or was last, from 1. Claims that the moment failed do not count.
        owner: Who holds the claim; unique to one try of one worker.
        lease_until_at_ms: Until when the claim holds, by the claimant's clock. Afterwards anybody may take it over.
        reason: Why the last try ended, in words for an operator.
        sha256: Of the whole content, in hex. Before it is recorded: as it was acknowledged, if it was.
        content_type: What the logic found, or "".
        facts: What else the logic returned.
        recorded_by: The cloud whose function recorded it.
        derived_from: The upload from which our own code made this object; such an object is recorded, not handled.
        conflicts: Other contents that were recorded under this id (a mutable object, read twice). Normally empty.
        home: Of an upload through the API, or of one that was handed over: the cloud that is to process it first.
        accepted_at_ms: When it was accepted or last handed over, by the clock of the cloud that did; else 0.
    """

    upload: Upload
    state: State
    attempt: int = 0
    owner: str = ""
    lease_until_at_ms: int = 0
    reason: str = ""
    size_bytes: int | None = None
    sha256: str = ""
    content_type: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    recorded_at_ms: int = 0
    recorded_by: str = ""
    derived_from: str = ""
    conflicts: tuple[Sighting, ...] = ()
    home: str = ""
    accepted_at_ms: int = 0

    @property
    def sighting(self) -> Sighting:
        """This record's own content; only of a recorded one."""
        return Sighting(
            recorded_at_ms=self.recorded_at_ms,
            recorded_by=self.recorded_by,
            sha256=self.sha256,
            size_bytes=self.size_bytes or 0,
        )


def deletion_record(deletion: Deletion, *, at_ms: int) -> Record:
    """The ledger's row for a deletion."""
    upload = Upload(
        upload_id=deletion_id_of(deletion),
        cloud=deletion.cloud,
        bucket=deletion.bucket,
        key=deletion.key,
        version=deletion.version,
        sequencer=deletion.sequencer,
    )
    return Record(
        upload=upload,
        state=_STATE_OF[deletion.deleted],
        recorded_at_ms=at_ms,
        recorded_by=deletion.cloud,
    )


def to_fields(record: Record) -> Fields:
    """The record as a ledger row: flat, without what is empty, `wire` telling the format's version."""
    upload = record.upload
    fields: dict[str, str | int | None] = {
        "wire": WIRE_VERSION,
        "state": record.state.value,
        "upload_id": upload.upload_id,
        "cloud": upload.cloud,
        "bucket": upload.bucket,
        "key": upload.key,
        "version": upload.version,
        "declared_size_bytes": upload.size_bytes,
        "sequencer": upload.sequencer,
        "attempt": record.attempt,
        "owner": record.owner,
        "lease_until_at_ms": record.lease_until_at_ms,
        "reason": record.reason[:REASON_MAX_CHARS],
        "size_bytes": record.size_bytes,
        "sha256": record.sha256,
        "content_type": record.content_type,
        "facts": json.dumps(record.facts, ensure_ascii=False, separators=(",", ":")) if record.facts else "",
        "recorded_at_ms": record.recorded_at_ms,
        "recorded_by": record.recorded_by,
        "derived_from": record.derived_from,
        "conflicts": _conflicts_to_text(record.conflicts),
        "home": record.home,
        "accepted_at_ms": record.accepted_at_ms,
    }
    keep_zero = {"size_bytes", "declared_size_bytes"}
    return {name: value for name, value in fields.items() if value or (value == 0 and name in keep_zero)}


def from_fields(fields: Fields) -> Record:
    """Read a row that this or an earlier version wrote. Fields that it does not know are left out.

    Raises:
        ValueError: The row is of a later wire format, or no record at all.
    """
    wire = fields.get("wire")
    if wire != WIRE_VERSION:
        raise ValueError(f"a ledger row has wire format {wire!r}; this version of Sluice reads {WIRE_VERSION}")
    text = {name: str(value) for name, value in fields.items()}
    number = {name: int(fields[name]) for name in _NUMBERS if name in fields}
    return Record(
        upload=Upload(
            upload_id=text["upload_id"],
            cloud=text["cloud"],
            bucket=text["bucket"],
            key=text["key"],
            version=text.get("version", ""),
            size_bytes=number.get("declared_size_bytes"),
            sequencer=text.get("sequencer", ""),
        ),
        state=State(text["state"]),
        attempt=number.get("attempt", 0),
        owner=text.get("owner", ""),
        lease_until_at_ms=number.get("lease_until_at_ms", 0),
        reason=text.get("reason", ""),
        size_bytes=number.get("size_bytes"),
        sha256=text.get("sha256", ""),
        content_type=text.get("content_type", ""),
        facts=json.loads(text.get("facts", "{}")),
        recorded_at_ms=number.get("recorded_at_ms", 0),
        recorded_by=text.get("recorded_by", ""),
        derived_from=text.get("derived_from", ""),
        conflicts=tuple(
            Sighting(**{name: entry[name] for name in Sighting.__slots__})
            for entry in json.loads(text.get("conflicts", "[]"))
        ),
        home=text.get("home", ""),
        accepted_at_ms=number.get("accepted_at_ms", 0),
    )


def record_of(row: Row) -> Record:
    """The record in a row.

    Raises:
        HandlingError: It cannot be read.
    """
    try:
        return from_fields(row.fields)
    except (ValueError, KeyError) as error:
        raise HandlingError(f"ledger row {row.row_id} cannot be read: {error}") from error


def describe(record: Record) -> dict[str, Any]:
    """The record as operators and API clients see it. All names are always there; what is not known is null."""
    fields = to_fields(record)
    names = (
        *("upload_id", "cloud", "bucket", "key", "version", "state", "size_bytes", "sha256", "content_type"),
        *("recorded_at_ms", "recorded_by", "attempt", "reason", "derived_from", "sequencer"),
        *("home", "accepted_at_ms"),
    )
    conflicts = [asdict(sighting) for sighting in record.conflicts]
    return {name: fields.get(name) for name in names} | {"facts": record.facts, "conflicts": conflicts}


def _conflicts_to_text(conflicts: tuple[Sighting, ...]) -> str:
    if not conflicts:
        return ""
    return json.dumps([asdict(sighting) for sighting in conflicts])
