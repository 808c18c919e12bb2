"""Tells the other clouds of a record, so that they need not take over what they hold a copy of."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import StepError
from core.peer import Peer
from core.record import Record

log = logging.getLogger("sluice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tells all of them, in order. Best effort: whom it does not reach takes over, or learns of it by reconciling."""

    peers: Sequence[Peer]

    def __call__(self, record: Record) -> None:
        for peer in self.peers:
            try:
                peer.absorb([record])
            except StepError as error:
                log.warning("upload %s: %s is not told: %s", record.upload.upload_id, peer.cloud, error)
