"""Finds the uploads whose event never came: what the bucket lists and the ledger does not know goes to the work queue.

The normal pipeline then records it. An event that comes late all the same has the same id, so it finds a duplicate.

    listed, younger than min_age_s ────> left to its event
    listed, no row ─────────────────────> sent
    listed, pending, or claimed and the lease has run out, for longer than stuck_age_s ──> sent
    listed, gone ───────────────────────> sent: it is there again (restored, or put again with the same bytes)
    listed, recorded or parked ─────────> nothing to do, or a person's to do
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from core.ports import Ledger, ObjectInfo, ObjectStore, WorkQueue
from core.record import State, from_fields
from core.upload import OWN_PREFIX, Upload, is_folder_marker, upload_id_of
from core.work_item import to_text

# Small, so that a sweep that must stop does so within about a second of ledger reads.
_PAGE_COUNT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep saw and did. listed = young + known + sent; folder markers are no uploads and not counted.

    Attributes:
        oldest_delay_s: Age of the oldest upload that was sent: how long it has waited for its event. 0 if none was.
        after: Continues the sweep where a limit stopped it, "" at the bucket's end.
    """

    listed_count: int = 0
    young_count: int = 0
    known_count: int = 0
    sent_count: int = 0
    oldest_delay_s: int = 0
    after: str = ""


def sweep(
    *,
    cloud: str,
    store: ObjectStore,
    ledger: Ledger,
    work: WorkQueue,
    clock_ms: Callable[[], int],
    min_age_s: int,
    stuck_age_s: int = 3600,
    after: str = "",
    page_limit: int | None = None,
    stop_at_ms: int | None = None,
) -> SweepReport:
    """Sweep the bucket, or a part of it.

    It costs a listing for every 100 objects, and one ledger read for each object that is not too young, one after
    another: the port has no batch reads. A second sweep before the queue is worked off sends the same uploads again,
    which costs calls and changes no record.

    Args:
        min_age_s: Objects younger than this are left to their event. Longer than events usually take.
        stuck_age_s: Work on an upload may pause so long without being forgotten. Longer than `RetryPolicy.max_delay_s`.
        page_limit: Stop after so many pages of 100 objects; None: at the bucket's end.
        stop_at_ms: Stop when the clock shows this. It is looked at after each page.

    Raises:
        StepError: A call failed. What was sent until then stays sent; sweeping again does no harm.
    """
    swept = _Sweep(
        cloud=cloud, store=store, ledger=ledger, work=work, min_age_ms=min_age_s * 1000, stuck_age_ms=stuck_age_s * 1000
    )
    report = swept.page(after=after, now_ms=clock_ms())
    page_count = 1
    while report.after and page_count != page_limit and (stop_at_ms is None or clock_ms() < stop_at_ms):
        report = _sum(report, swept.page(after=report.after, now_ms=clock_ms()))
        page_count += 1
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    upload: Upload
    at_ms: int  # when the object was stored


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sweep:
    cloud: str
    store: ObjectStore
    ledger: Ledger
    work: WorkQueue
    min_age_ms: int
    stuck_age_ms: int

    def page(self, *, after: str, now_ms: int) -> SweepReport:
        page = self.store.page(after=after, limit=_PAGE_COUNT)
        seen = [self._seen(info) for info in page.objects if _is_upload(info)]
        old = [one for one in seen if now_ms - one.at_ms >= self.min_age_ms]
        missing = [one for one in map(partial(self._missing, now_ms=now_ms), old) if one is not None]
        if missing:
            self.work.send([to_text(one.upload) for one in missing])
        return SweepReport(
            listed_count=len(seen),
            young_count=len(seen) - len(old),
            known_count=len(old) - len(missing),
            sent_count=len(missing),
            oldest_delay_s=max([0, *((now_ms - one.at_ms) // 1000 for one in missing)]),
            after=page.after,
        )

    def _seen(self, info: ObjectInfo) -> _Seen:
        upload = Upload(
            upload_id=upload_id_of(cloud=self.cloud, bucket=self.store.bucket, key=info.key, version=info.version),
            cloud=self.cloud,
            bucket=self.store.bucket,
            key=info.key,
            version=info.version,
            size_bytes=info.size_bytes,
            sequencer=info.sequencer,
        )
        return _Seen(upload=upload, at_ms=info.modified_at_ms)

    def _missing(self, one: _Seen, *, now_ms: int) -> _Seen | None:
        """The upload if nobody else will record it; with the place in its key's history, should the ledger know it."""
        row = self.ledger.get(one.upload.upload_id)
        if row is None:
            return one
        try:
            known = from_fields(row.fields)
        except (ValueError, KeyError):
            return None  # a later version of Sluice wrote it, and so knows the upload
        is_open = known.state in (State.PENDING, State.CLAIMED)
        last_sign_at_ms = max(one.at_ms, known.lease_until_at_ms)
        if known.state is State.GONE or (is_open and now_ms - last_sign_at_ms >= self.stuck_age_ms):
            sequencer = max(one.upload.sequencer, known.upload.sequencer)
            return replace(one, upload=replace(one.upload, sequencer=sequencer))
        return None


def _is_upload(info: ObjectInfo) -> bool:
    return not (info.key.startswith(OWN_PREFIX) or is_folder_marker(info.key, size_bytes=info.size_bytes))


def _sum(a: SweepReport, b: SweepReport) -> SweepReport:
    return SweepReport(
        listed_count=a.listed_count + b.listed_count,
        young_count=a.young_count + b.young_count,
        known_count=a.known_count + b.known_count,
        sent_count=a.sent_count + b.sent_count,
        oldest_delay_s=max(a.oldest_delay_s, b.oldest_delay_s),
        after=b.after,
    )
