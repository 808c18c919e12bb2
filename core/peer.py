"""One cloud as the others see it. `core.site.Site` is this cloud itself, `handlers.peers.http_peer.HttpPeer` another.

Every operation may be repeated: doing it twice is doing it once. All may raise `core.errors.StepError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from core.ports import Depth, PresignedParts, PresignedPut, PutParts
from core.record import Record, State
from core.route import Route
from core.ticket import Ticket
from core.upload import Upload
from core.votes import Capability, Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a cloud tells: what it cannot do now, its vote, the route that it holds, how much waits.

    `vote`, `route`, `work` and `parked_count` are None where they cannot be read now.
    """

    cloud: str
    failed: tuple[Capability, ...]
    vote: Vote | None
    route: Route | None
    work: Depth | None
    parked_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """Some settled records; `after` continues, "" at the end."""

    records: Sequence[Record]
    after: str


class Peer(Protocol):
    """One cloud."""

    @property
    def cloud(self) -> str: ...

    def keep(self, ticket: Ticket, body: BinaryIO) -> None:
        """Hold a copy: a pending record, then the object. Returns when both stand.

        Raises:
            UploadRejectedError: Another upload stands under this id.
        """

    def presign(
        self, ticket: Ticket, *, content_type: str, valid_s: int, part_bytes: int = 0
    ) -> PresignedPut | PresignedParts:
        """Let a client put the copy itself; the pending record stands when this returns.

        Args:
            part_bytes: Of each part but the last; 0: at once.
        """

    def confirm(self, ticket: Ticket, *, parts: PutParts | None = None) -> bool:
        """Whether the object and its record stand, with the declared size.

        Args:
            parts: What the client put here, to be joined if it is not; None: the object itself.
        """

    def take_work(self, upload: Upload) -> State:
        """Take an upload to process, if it is not processed yet; `upload.url` reads its bytes.

        Returns:
            The state of its record here. Only when that is `recorded` may whoever gave it forget it.
        """

    def look(self) -> Look:
        """Look at the cloud through the paths that its work takes."""

    def offer_route(self, route: Route) -> Route:
        """Give it a route; the one that it holds afterwards comes back."""

    def records(self, *, after: str, limit: int) -> RecordPage:
        """List settled records (recorded, gone, parked, and deletions)."""

    def absorb(self, records: Sequence[Record]) -> int:
        """Merge records into its ledger; returns how many of them it changed."""
