"""Ledgers become one: settled records of peers are merged into the own ledger, in any order, any number of times."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import TransientError
from core.merge import merge
from core.ports import Ledger
from core.record import Record, State, from_fields, to_fields

if TYPE_CHECKING:
    from core.peer import Peer

# Of what is still open each cloud has its own view, which would only mislead another one.
SETTLED = (State.RECORDED, State.GONE, State.PARKED, State.DELETED, State.REMOVED)

_WRITE_TRIES = 5


# Over whatever stands here, a live claim included: its worker's confirm expects the claim, finds it gone, and sees a
# record, so that its own result is discarded.
def absorb(ledger: Ledger, record: Record) -> bool:
    """Merge one record into a ledger. Whether that changed anything.

    Raises:
        TransientError: Too many others wrote the row at the same time.
    """
    for _ in range(_WRITE_TRIES):
        row = ledger.get(record.upload.upload_id)
        known = from_fields(row.fields) if row else None
        merged = merge(known, record) if known else record
        if merged == known:
            return False
        if ledger.put(record.upload.upload_id, to_fields(merged), expect=row.version if row else None) is not None:
            return True
    raise TransientError(f"too many others wrote row {record.upload.upload_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What one exchange came to. `after` is where the next one goes on, "" when it went to the end."""

    seen_count: int
    changed_count: int
    after: str


def pull(peer: "Peer", ledger: Ledger, *, after: str, page_count: int, limit: int = 500) -> Pulled:
    """Merge up to `page_count` pages of a peer's settled records into this ledger.

    Every row costs a read here, and a write if it differs. There is no index by time: a whole pass reads the whole
    ledger, so it is spread over many calls.
    """
    seen_count = changed_count = 0
    for _ in range(page_count):
        page = peer.records(after=after, limit=limit)
        seen_count += len(page.records)
        changed_count += sum(absorb(ledger, record) for record in page.records)
        after = page.after
        if not after:
            break
    return Pulled(seen_count=seen_count, changed_count=changed_count, after=after)
