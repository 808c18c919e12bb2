"""Gives work to another cloud when this one cannot do it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.errors import StepError
from core.peer import Peer
from core.ports import ObjectStore
from core.record import State
from core.upload import Upload

log = logging.getLogger("sluice")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Gives uploads of one bucket to the peers, in order, with a URL by which they can read it without credentials.

    Attributes:
        url_valid_s: How long the URL can be read; as long as the peer may need, outage included.
    """

    store: ObjectStore
    peers: Sequence[Peer]
    url_valid_s: int = 12 * 3600

    def __call__(self, upload: Upload) -> State | None:
        """Give an upload to the first peer that takes it.

        Returns:
            The state of its record there; None if nobody took it. Only `recorded` lets the message be forgotten: until
            then it stays in this cloud's queue, comes back, and is given again, which does no harm.
        """
        offered = self._readable(upload)
        for peer in self.peers:
            try:
                state = peer.take_work(offered)
            except StepError as error:
                log.warning("upload %s: %s does not take it: %s", upload.upload_id, peer.cloud, error)
                continue
            log.info("upload %s: handed over to %s, which has it %s", upload.upload_id, peer.cloud, state)
            return state
        return None

    def _readable(self, upload: Upload) -> Upload:
        if upload.url or upload.bucket != self.store.bucket:
            return upload
        try:
            url = self.store.presign_get(upload.key, version=upload.version, valid_s=self.url_valid_s)
        except StepError:
            return upload  # a peer that holds a copy needs none
        return replace(upload, url=url)
