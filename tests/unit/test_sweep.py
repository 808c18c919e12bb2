"""The sweep: what the bucket lists and the ledger does not know is sent to work, once, and nothing else is."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from core.errors import TransientError
from core.ports import Message
from core.record import Record, State, to_fields
from core.sweep import SweepReport, sweep
from core.upload import Upload, upload_id_of
from core.work_item import from_payload
from providers.memory.object_store import MemoryObjectStore
from tests.unit.cloud_in_memory import TIMEOUT_MS, MemoryCloud

MIN_AGE_S, STUCK_AGE_S = 300, 3600


@pytest.fixture
def cloud() -> MemoryCloud:
    """A cloud whose bucket knows the time."""
    made = MemoryCloud()
    made.store = MemoryObjectStore(bucket="b", clock_ms=lambda: made.now_ms)
    made.pipeline = replace(made.pipeline, store=made.store)
    made.worker = replace(made.worker, pipeline=made.pipeline)
    return made


def put(cloud: MemoryCloud, key: str, content: bytes = b"x") -> Upload:
    """Put an object whose event gets lost; gives the upload that the event would have told of."""
    info = cloud.store.put(key, io.BytesIO(content), size_bytes=len(content))
    assert info is not None
    upload_id = upload_id_of(cloud="aws", bucket="b", key=key, version=info.version)
    return Upload(upload_id=upload_id, cloud="aws", bucket="b", key=key, version=info.version, size_bytes=len(content))


def know(cloud: MemoryCloud, upload: Upload, state: State, **fields: Any) -> None:
    """Let the ledger know an upload in a state."""
    record = Record(upload=upload, state=state, **fields)
    assert cloud.ledger.put(upload.upload_id, to_fields(record), expect=None)


def run(cloud: MemoryCloud, **options: Any) -> SweepReport:
    parts: dict[str, Any] = {"store": cloud.store, "ledger": cloud.ledger, "work": cloud.work}
    ages = {"min_age_s": MIN_AGE_S, "stuck_age_s": STUCK_AGE_S}
    return sweep(cloud="aws", clock_ms=lambda: cloud.now_ms, **(parts | ages | options))


def received(cloud: MemoryCloud) -> list[Message]:
    return list(cloud.work.receive(limit=10, wait_s=0, visibility_timeout_s=60))


def sent(cloud: MemoryCloud) -> list[Upload]:
    """What waits in the work queue."""
    return [from_payload(json.loads(message.body)) for message in received(cloud)]


def test_unknown_upload_is_sent_as_its_event_would_tell_of_it(cloud: MemoryCloud) -> None:
    """An upload without a row goes to work under the id of its event, and the report tells how late it is."""
    upload = put(cloud, "ü/1")
    cloud.now_ms += 1_234_567

    report = run(cloud)

    assert sent(cloud) == [upload]
    assert report == SweepReport(listed_count=1, sent_count=1, oldest_delay_s=1234)


def test_swept_upload_is_recorded_once_and_a_late_event_moves_it(cloud: MemoryCloud) -> None:
    """The pipeline records what the sweep sent; the event that comes late gives its sequencer and no second record."""
    upload = put(cloud, "k")
    cloud.now_ms += MIN_AGE_S * 1000
    run(cloud)
    [message] = received(cloud)

    assert cloud.worker.handle(message, deadline_at_ms=cloud.now_ms + TIMEOUT_MS)
    cloud.pipeline.process(cloud.attempt(replace(upload, sequencer="7")))

    assert (cloud.state(upload), cloud.handled) == (State.RECORDED, [upload.upload_id])
    assert cloud.record(upload).upload.sequencer == "7"
    assert run(cloud).sent_count == 0


def test_young_upload_is_left_to_its_event(cloud: MemoryCloud) -> None:
    """One millisecond too young is too young."""
    put(cloud, "k")
    cloud.now_ms += MIN_AGE_S * 1000 - 1

    report = run(cloud)

    assert report == SweepReport(listed_count=1, young_count=1)
    assert sent(cloud) == []


@pytest.mark.parametrize("state", [State.RECORDED, State.PARKED])
def test_settled_upload_is_known(cloud: MemoryCloud, state: State) -> None:
    """What is recorded is done, and what is parked waits for a person."""
    know(cloud, put(cloud, "k"), state)
    cloud.now_ms += 10 * STUCK_AGE_S * 1000

    assert run(cloud) == SweepReport(listed_count=1, known_count=1)


def test_upload_that_is_gone_and_listed_is_sent(cloud: MemoryCloud) -> None:
    """A record that says gone of what the bucket shows is out of date: the object was restored."""
    know(cloud, put(cloud, "k"), State.GONE)
    cloud.now_ms += MIN_AGE_S * 1000

    assert run(cloud).sent_count == 1


@pytest.mark.parametrize(
    ("state", "lease_until_at_s", "now_at_s", "is_sent"),
    [
        (State.PENDING, 0, STUCK_AGE_S - 1, False),
        (State.PENDING, 0, STUCK_AGE_S, True),
        (State.CLAIMED, 600, 600 + STUCK_AGE_S - 1, False),
        (State.CLAIMED, 600, 600 + STUCK_AGE_S, True),
        (State.CLAIMED, 2 * STUCK_AGE_S, STUCK_AGE_S, False),
    ],
)
def test_unfinished_work_is_sent_when_it_is_stuck(
    cloud: MemoryCloud, state: State, lease_until_at_s: int, now_at_s: int, is_sent: bool
) -> None:
    """Work that pauses is left alone; work whose message must be lost starts again, at its place in the history."""
    started_at_ms = cloud.now_ms
    lease_until_at_ms = started_at_ms + lease_until_at_s * 1000 if lease_until_at_s else 0
    upload = replace(put(cloud, "k"), sequencer="5")
    know(cloud, upload, state, lease_until_at_ms=lease_until_at_ms)
    cloud.now_ms = started_at_ms + now_at_s * 1000

    run(cloud)

    assert sent(cloud) == ([upload] if is_sent else [])


def test_row_of_a_later_version_is_known(cloud: MemoryCloud) -> None:
    """A row that this version cannot read was written by a later one, which knows the upload."""
    cloud.ledger.put(put(cloud, "k").upload_id, {"wire": 99}, expect=None)
    cloud.now_ms += MIN_AGE_S * 1000

    assert run(cloud).known_count == 1


def test_folder_marker_is_no_upload(cloud: MemoryCloud) -> None:
    """An empty object whose key ends with a slash is ignored; a full one, or another empty one, is not."""
    for key, content in (("folder/", b""), ("full/", b"x"), ("empty", b"")):
        put(cloud, key, content)
    cloud.now_ms += MIN_AGE_S * 1000

    report = run(cloud)

    assert (report.listed_count, report.sent_count) == (2, 2)
    assert {upload.key for upload in sent(cloud)} == {"full/", "empty"}


def test_many_pages_and_the_oldest_delay(cloud: MemoryCloud) -> None:
    """A bucket of several pages is swept whole, and the longest of all delays is reported."""
    for number in range(250):
        put(cloud, f"{number:03}")
        cloud.now_ms += 1000
    cloud.now_ms += MIN_AGE_S * 1000

    report = run(cloud)

    assert (report.listed_count, report.sent_count, report.after) == (250, 250, "")
    assert report.oldest_delay_s == MIN_AGE_S + 250


def test_sweep_goes_on_where_a_limit_stopped_it(cloud: MemoryCloud) -> None:
    """A limit of pages, and one of time, stop between pages; together the parts are the whole."""
    for number in range(250):
        put(cloud, f"{number:03}")
    cloud.now_ms += MIN_AGE_S * 1000

    first = run(cloud, page_limit=1)
    second = run(cloud, after=first.after, stop_at_ms=cloud.now_ms)
    third = run(cloud, after=second.after)

    assert [part.sent_count for part in (first, second, third)] == [100, 100, 50]
    assert first.after
    assert second.after
    assert third.after == ""


def test_failed_call_ends_the_sweep(cloud: MemoryCloud) -> None:
    """What cannot be sent is not reported as sent: the error comes out, and the next sweep finds it again."""
    put(cloud, "k")
    cloud.now_ms += MIN_AGE_S * 1000

    class Refusing:
        def send(self, bodies: Any) -> None:
            raise TransientError("the queue is away")

    with pytest.raises(TransientError):
        run(cloud, work=Refusing())

    assert run(cloud).sent_count == 1
