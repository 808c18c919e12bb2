"""Tells the other clouds of a record, so that they need not take over what they hold a copy of."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core.errors import StepError
from core.peer import Peer
from core.record import Record

log = logging.getLogger("sluice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tells all of them, in order. Best effort: whom it does not reach takes over, or learns of it by reconciling.

    Attributes:
        quiet_s: How long a cloud is left alone that was not reached: each try may cost a whole timeout. Less than the
            minute after which it reconciles.
    """

    peers: Sequence[Peer]
    clock_ms: Callable[[], int]
    quiet_s: int = 20
    _quiet_until_ms: dict[str, int] = field(default_factory=dict, repr=False)

    def __call__(self, record: Record) -> None:
        for peer in self.peers:
            if self.clock_ms() < self._quiet_until_ms.get(peer.cloud, 0):
                continue
            try:
                peer.absorb([record])
            except StepError as error:
                self._quiet_until_ms[peer.cloud] = self.clock_ms() + self.quiet_s * 1000
                log.warning("upload %s: %s is not told: %s", record.upload.upload_id, peer.cloud, error)
