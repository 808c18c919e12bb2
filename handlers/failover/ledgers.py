"""How far the ledgers are apart, and how they are brought together by an operator.

Both read whole ledgers through the clouds' APIs: there is no index by time. `core.watch` and the scheduled functions do
the same all along, page by page.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.errors import StepError, TransientError
from core.peer import Peer
from core.record import Record, to_fields

# A page must be absorbed within a request's time limit: each record costs a read there, and a write if it differs.
PAGE_COUNT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What one pass over all ledgers found. Records that settle meanwhile count as missing somewhere.

    Attributes:
        settled_count: Uploads and deletions that one ledger at least has settled.
        missing_count: How many of them a ledger lacks, by cloud, of those that were read.
        differing_count: How many stand differently in two ledgers.
        unread: Why ledgers could not be read, by cloud. They count for nothing above.
    """

    settled_count: int
    missing_count: dict[str, int]
    differing_count: int
    unread: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Exchanged:
    """What went from one cloud into another. `error` is "" if all of it did."""

    source: str
    target: str
    seen_count: int = 0
    changed_count: int = 0
    error: str = ""


def measure_lag(peers: Sequence[Peer], *, clock_ms: Callable[[], int], stop_at_ms: int) -> Lag:
    """Read every ledger once and compare. It needs some 200 bytes of memory for a record of a cloud."""
    digests: dict[str, dict[str, bytes]] = {}
    unread: dict[str, str] = {}
    for peer in peers:
        try:
            digests[peer.cloud] = {
                record.upload.upload_id: _digest(record)
                for page in _pages(peer, clock_ms=clock_ms, stop_at_ms=stop_at_ms)
                for record in page
            }
        except StepError as error:
            unread[peer.cloud] = str(error)
    found: dict[str, set[bytes]] = defaultdict(set)
    for of_cloud in digests.values():
        for upload_id, digest in of_cloud.items():
            found[upload_id].add(digest)
    return Lag(
        settled_count=len(found),
        missing_count={cloud: len(found) - len(of_cloud) for cloud, of_cloud in digests.items()},
        differing_count=sum(len(each) > 1 for each in found.values()),
        unread=unread,
    )


def exchange(peers: Sequence[Peer], *, clock_ms: Callable[[], int], stop_at_ms: int) -> list[Exchanged]:
    """Merge every cloud's settled records into every other. A cloud that fails stops its own pairs only."""
    return [pair for peer in peers for pair in _spread(peer, peers, clock_ms=clock_ms, stop_at_ms=stop_at_ms)]


def _spread(source: Peer, peers: Sequence[Peer], *, clock_ms: Callable[[], int], stop_at_ms: int) -> list[Exchanged]:
    pairs = {peer.cloud: Exchanged(source=source.cloud, target=peer.cloud) for peer in peers if peer is not source}
    targets = {peer.cloud: peer for peer in peers if peer is not source}
    try:
        for page in _pages(source, clock_ms=clock_ms, stop_at_ms=stop_at_ms):
            for cloud in list(targets):
                pair = pairs[cloud]
                try:
                    pair.changed_count += targets[cloud].absorb(page)
                    pair.seen_count += len(page)
                except StepError as error:
                    pair.error = str(error)
                    del targets[cloud]
            if not targets:
                break
    except StepError as error:
        for cloud in targets:
            pairs[cloud].error = str(error)
    return list(pairs.values())


def _pages(peer: Peer, *, clock_ms: Callable[[], int], stop_at_ms: int) -> Iterator[Sequence[Record]]:
    """The settled records of a cloud.

    Raises:
        StepError: A page cannot be read, the time is up, or the cloud gives the same page again.
    """
    after = ""
    while True:
        if clock_ms() >= stop_at_ms:
            raise TransientError("the time is up before the ledger's end: give a longer --for-s")
        page = peer.records(after=after, limit=PAGE_COUNT)
        if page.records:
            yield page.records
        if not page.after:
            return
        if page.after == after:
            raise TransientError(f"{peer.cloud} gives the same page again")
        after = page.after


def _digest(record: Record) -> bytes:
    text = json.dumps(to_fields(record), sort_keys=True)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
