"""Takes an upload in: acknowledged only when it stands in as many clouds as were asked for."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from core.errors import StepError
from core.gather import Gather
from core.peer import Peer
from core.ports import PresignedParts, PresignedPut, PutParts
from core.route import Route
from core.ticket import Ticket

log = logging.getLogger("sluice")


class NotEnoughCopiesError(StepError):
    """Too few clouds hold the upload, so nothing is acknowledged. The same request may succeed later.

    Attributes:
        stood: The clouds that hold a copy.
        missing: Why the others do not, by cloud.
        absent: Those of the others that were asked, and hold none; the rest did not tell.
    """

    def __init__(
        self, *, wanted: int, stood: Sequence[str], missing: dict[str, str], absent: Sequence[str] = ()
    ) -> None:
        super().__init__(f"{len(stood)} of {wanted} copies stand")
        self.wanted = wanted
        self.stood = tuple(stood)
        self.missing = missing
        self.absent = tuple(absent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is acknowledged: the upload stands in these clouds."""

    ticket: Ticket
    copies: tuple[str, ...]


def in_order(peers: Sequence[Peer], route: Route, *, own: str, failed: str = "") -> list[Peer]:
    """The clouds in the order in which they are asked to hold a copy: the active one, this one, the others.

    With one copy a standby passes the upload on to the active cloud, and keeps it only if that cannot be reached.

    Args:
        failed: The cloud that the client could not use before; it is asked last, so that one which hangs costs the
            client its patience once and not twice.
    """
    names = dict.fromkeys((route.active, own, *route.order))
    place = {cloud: (cloud == failed, index) for index, cloud in enumerate(names)}
    return sorted((peer for peer in peers if peer.cloud in place), key=lambda peer: place[peer.cloud])


def ingest(
    ticket: Ticket, open_body: Callable[[], BinaryIO], *, peers: Sequence[Peer], copies: int, gather: Gather
) -> Receipt:
    """Store the upload in `copies` clouds, in parallel; the first that answer count.

    A cloud that answers later holds a copy more, which does no harm: its record is pending, and its own function waits
    for the home cloud's before it takes over.

    Args:
        open_body: Gives a reader of its own for each cloud, from the start.
        peers: In the order of `in_order`.

    Raises:
        UploadRejectedError: Another upload stands under this id.
        NotEnoughCopiesError: Nothing is acknowledged.
    """
    tasks = {peer.cloud: partial(_keep, peer, ticket, open_body) for peer in peers}
    gathered = gather(tasks, needed=copies)
    return _receipt(ticket, list(gathered.done), dict(gathered.failed), copies=copies)


def presign(
    ticket: Ticket,
    *,
    peers: Sequence[Peer],
    copies: int,
    content_type: str,
    valid_s: int,
    gather: Gather,
    part_bytes: int = 0,
) -> dict[str, PresignedPut | PresignedParts]:
    """Where a client may put the copies itself, by cloud: in one cloud more than `copies`, if that many can be had.

    Args:
        part_bytes: Of each part but the last; 0: each copy at once.

    Raises:
        NotEnoughCopiesError: Fewer than `copies`.
    """
    tasks = {
        peer.cloud: partial(peer.presign, ticket, content_type=content_type, valid_s=valid_s, part_bytes=part_bytes)
        for peer in peers
    }
    gathered = gather(tasks, needed=min(copies + 1, len(tasks)), enough=copies)
    for cloud, error in gathered.failed.items():
        log.warning("upload %s: no target in %s: %s", ticket.upload_id, cloud, error)
    if len(gathered.done) < copies:
        _receipt(ticket, list(gathered.done), dict(gathered.failed), copies=copies)
    return dict(gathered.done)


def complete(
    ticket: Ticket,
    *,
    peers: Sequence[Peer],
    copies: int,
    gather: Gather,
    parts: Mapping[str, PutParts] | None = None,
) -> Receipt:
    """Acknowledge what a client has put itself, once the copies stand.

    Args:
        parts: What it put in parts, by cloud; they are joined.

    Raises:
        NotEnoughCopiesError: They do not, or not yet.
    """
    tasks = {peer.cloud: partial(_confirm, peer, ticket, (parts or {}).get(peer.cloud)) for peer in peers}
    gathered = gather(tasks, needed=len(tasks), enough=copies)
    return _receipt(ticket, list(gathered.done), dict(gathered.failed), copies=copies)


def _keep(peer: Peer, ticket: Ticket, open_body: Callable[[], BinaryIO]) -> None:
    with open_body() as body:
        peer.keep(ticket, body)


def _confirm(peer: Peer, ticket: Ticket, parts: PutParts | None) -> None:
    if not peer.confirm(ticket, parts=parts):
        raise NotEnoughCopiesError(wanted=1, stood=(), missing={peer.cloud: "no object of the declared size stands"})


def _receipt(ticket: Ticket, done: Sequence[str], failed: dict[str, StepError], *, copies: int) -> Receipt:
    if len(done) >= copies:
        return Receipt(ticket=ticket, copies=tuple(done))
    raise NotEnoughCopiesError(
        wanted=copies,
        stood=done,
        missing={cloud: str(error) for cloud, error in failed.items()},
        absent=[cloud for cloud, error in failed.items() if isinstance(error, NotEnoughCopiesError)],
    )
