"""Works off another cloud's queue when its functions do not: hands each message over, as its own worker would.

their queue ── receive ──> hand over to a living cloud ──> recorded there ──> acknowledge in their queue
                                 └ pending there: the message stays, and is asked for again soon
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import StepError, UploadRejectedError
from core.peer import Peer
from core.ports import Message, WorkQueue
from core.record import State, deletion_record
from core.upload import OWN_PREFIX, Deletion, Ignored, Notice, Upload

log = logging.getLogger("sluice")

_VISIBILITY_S = 60
_BATCH_COUNT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What a drain came to: messages that are done, and times that one was seen and is not done yet."""

    done_count: int = 0
    waiting_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Drains one cloud's queue into the others.

    Attributes:
        work: Their work queue, with this cloud's permission to receive from it and to delete.
        parse: As their own worker reads a message.
        hand_over: Gives an upload to a living cloud, and tells its state there; None if nobody takes it.
        peers: The living clouds, which are told of deletions.
        recheck_s: After which a message is looked at again whose upload is not recorded yet.
    """

    work: WorkQueue
    parse: Callable[[str], Sequence[Notice]]
    hand_over: Callable[[Upload], State | None]
    peers: Sequence[Peer]
    clock_ms: Callable[[], int]
    recheck_s: int = 2

    def run(self, *, stop_at_ms: int) -> Drained:
        """Drain until the queue gives nothing more, or the time is up.

        Raises:
            StepError: Their queue cannot be read. What was done until then is done.
        """
        done_count = waiting_count = 0
        while self.clock_ms() < stop_at_ms:
            messages = self.work.receive(
                limit=_BATCH_COUNT, wait_s=self.recheck_s + 1, visibility_timeout_s=_VISIBILITY_S
            )
            if not messages:
                break
            for message in messages:
                if self._is_done(message):
                    self.work.acknowledge(message)
                    done_count += 1
                else:
                    self.work.extend(message, visibility_timeout_s=self.recheck_s)
                    waiting_count += 1
        return Drained(done_count=done_count, waiting_count=waiting_count)

    def _is_done(self, message: Message) -> bool:
        try:
            notices = self.parse(message.body)
        except UploadRejectedError as error:
            log.warning("message %s is left to its own cloud: %s", message.message_id, error)
            return False
        settled = [self._is_settled(notice) for notice in notices]  # each is tried, also after one that is not
        return all(settled)

    def _is_settled(self, notice: Notice) -> bool:
        match notice:
            case Upload() | Deletion() if notice.key.startswith(OWN_PREFIX):
                return True
            case Upload():
                return self.hand_over(notice) is State.RECORDED
            case Deletion():
                return self._tell(notice)
            case Ignored():
                return True

    def _tell(self, deletion: Deletion) -> bool:
        """Whether one living cloud at least knows of the deletion; the ledgers spread it further."""
        record = deletion_record(deletion, at_ms=self.clock_ms())
        for peer in self.peers:
            try:
                peer.absorb([record])
            except StepError as error:
                log.warning("%s does not take a deletion: %s", peer.cloud, error)
                continue
            return True
        return False
