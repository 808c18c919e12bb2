"""What the core needs of a cloud: an object store, a ledger and a work queue.

Each operation is one that every cloud performs atomically, in one call. A lost race, a missing row and an empty queue
are return values. Any operation may raise `core.errors.StepError`; unless that is an OutcomeUnknownError it changed
nothing. The contract of each port is the test class of its name in tests/contract/.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol

# Flat on purpose: every cloud's table can hold it. Text up to 32,000 characters (Azure Table Storage: 64 KiB of UTF-16
# for a property), whole numbers within ±2^63, rows up to 400,000 bytes (DynamoDB: 400 KB for an item).
Fields = Mapping[str, str | int]


class Absence(StrEnum):
    """Why a version of an object cannot be read."""

    MISSING = "missing"  # not there: deleted, or not yet visible
    REPLACED = "replaced"  # the key now holds another version, and this one was not kept


class Readable(Protocol):
    """The part of a binary file that a body must have."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """What a store tells of one version of an object.

    Attributes:
        version: The same text that the cloud's event carries for this version.
        modified_at_ms: UTC epoch milliseconds, by the store's clock.
        sequencer: As the cloud's event would carry it (`core.upload.Upload`), or "" where only the event does.
        derived_from: The id of the upload from which our own code made this object, or "". Listings do not carry it.
    """

    key: str
    version: str
    size_bytes: int
    modified_at_ms: int = 0
    sequencer: str = ""
    derived_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenObject:
    """An object being read. `body` gives up to the asked number of bytes, and b"" only at the end."""

    info: ObjectInfo
    body: Readable


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedPut:
    """Where and how a client without credentials may PUT one object: the headers are part of the signature."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedParts:
    """Where and how a client without credentials may PUT the parts of one object, in their order.

    Attributes:
        handle: What joins them. Opaque, of up to 2,048 printable ASCII characters, and good for this key only.
    """

    parts: Sequence[PresignedPut]
    handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutParts:
    """The parts that a client says it has put.

    Attributes:
        handle: Of the `PresignedParts`.
        etags: What each PUT was answered as its ETag, in the order of the parts; "" where a cloud gives none.
    """

    handle: str
    etags: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPage:
    """Some objects of a listing; `after` continues it, "" at its end."""

    objects: Sequence[ObjectInfo]
    after: str


class ObjectStore(Protocol):
    """One bucket. Reads see every finished write.

    Keys are 1 to 1,024 bytes of UTF-8 (S3, Cloud Storage). A key that one cloud's bucket cannot have is not put there
    (Cloud Storage: a line break, "." and ".."), and raises.
    """

    bucket: str

    def open(self, key: str, *, version: str) -> AbstractContextManager[OpenObject | Absence]:
        """Read exactly this version, in one request, without holding more than a buffer of it."""

    def put(
        self, key: str, body: BinaryIO, *, size_bytes: int, if_absent: bool = False, derived_from: str = ""
    ) -> ObjectInfo | None:
        """Store an object whole or not at all. None: `if_absent` was asked and the key is taken.

        Args:
            body: Seekable; it is read from its start.
            size_bytes: Of the whole body; at most 5 GB (one PUT on S3). Larger objects: `presign_parts`.
        """

    def find(self, key: str) -> ObjectInfo | None:
        """The newest version of an object, without its content; None if the key has none."""

    def presign_get(self, key: str, *, version: str, valid_s: int) -> str:
        """A URL that reads this version without credentials for `valid_s` (1 to 604,800) seconds."""

    def presign_put(self, key: str, *, size_bytes: int, content_type: str, valid_s: int) -> PresignedPut:
        """Let a client put this key, with exactly this size and type."""

    def presign_parts(
        self, key: str, *, size_bytes: int, content_type: str, part_bytes: int, valid_s: int
    ) -> PresignedParts:
        """Let a client put this key in parts, each as often as it likes. Nothing stands under the key until they join.

        Asked again, the handle is the same while the parts are not joined, so what was put before counts.

        Args:
            part_bytes: Of each part but the last. At most 32 parts (`core.parts` has the limits and their sources).
        """

    def join_parts(self, key: str, *, handle: str, size_bytes: int, etags: Sequence[str]) -> ObjectInfo:
        """Make the object of its parts, whole or not at all; if the key is taken, tell of what stands there.

        Args:
            size_bytes: Of all parts together.
            etags: As of `PutParts`, one for each part.

        Raises:
            UploadRejectedError: A part does not stand (its number is named), or they do not have these bytes.
        """

    def page(self, *, after: str = "", limit: int = 1000) -> ObjectPage:
        """List the newest version of up to `limit` (1 to 1,000) objects; a page may hold fewer, and not be the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A ledger row. `version` is opaque, differs after every write, and is compared for equality only."""

    row_id: str
    fields: Fields
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage:
    """Some rows; `after` continues the listing, "" at its end."""

    rows: Sequence[Row]
    after: str


class Ledger(Protocol):
    """One table of rows. Reads are strongly consistent. Rows are never deleted, least of all by a timer."""

    def get(self, row_id: str) -> Row | None: ...

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        """Write a whole row if its version still is `expect` (None: if there is no row yet).

        Returns:
            The new version, or None for a lost race. A client's own resent write is no lost race.
        """

    def page(self, *, after: str = "", limit: int = 100) -> RowPage:
        """List up to `limit` (1 to 1,000) rows in the table's own order; a page may hold fewer, and not be the last.

        A row that is written meanwhile may be left out.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that was received, and stays invisible to others until its visibility timeout ends.

    Attributes:
        receipt: What acknowledges or extends this receipt of the message; a later receipt has another.
        receive_count: How often the message was received, this time included. At least 1.
    """

    message_id: str
    body: str
    receipt: str
    receive_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many messages a queue holds; approximate where the cloud counts so."""

    visible_count: int
    in_flight_count: int


class WorkQueue(Protocol):
    """One queue, at least once, in no order.

    Bodies are text of up to 48,000 bytes (Azure Storage Queue, base64) without control characters (SQS), such as
    JSON in ASCII.
    """

    def send(self, bodies: Sequence[str]) -> None:
        """Send all. When it raises, any of them may have been sent."""

    def receive(self, *, limit: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        """Take up to `limit` (1 to 10) messages, waiting up to `wait_s` (0 to 20) for the first."""

    def acknowledge(self, message: Message) -> None:
        """Delete the message. Does nothing if it is gone; may do nothing if the receipt is no longer the latest."""

    def extend(self, message: Message, *, visibility_timeout_s: int) -> None:
        """Let the message come back after this time from now (0 to 43,200 s). As above for an old receipt.

        A queue that cannot wait so long brings it back sooner: Pub/Sub after 600 s ("ModifyAckDeadlineRequest").
        """

    def depth(self) -> Depth: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What one cloud gives to the core.

    Attributes:
        parked: The queue of dead letters.
        control: A table apart from the ledger, for what clouds tell each other: route, votes, probes, nonces.
    """

    store: ObjectStore
    ledger: Ledger
    work: WorkQueue
    parked: WorkQueue
    control: Ledger
