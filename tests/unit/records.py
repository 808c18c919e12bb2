"""Hypothesis strategies for records of one upload."""

from hypothesis import strategies as st

from core.record import Record, Sighting, State
from core.upload import Upload

SHA256 = st.sampled_from(["aa" * 32, "bb" * 32, "cc" * 32])
CLOUDS = st.sampled_from(["aws", "azure", "gcp"])
FACTS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans(), max_size=2)
UPLOADS = st.builds(
    Upload,
    upload_id=st.just("u"),
    cloud=CLOUDS,
    bucket=st.just("b"),
    key=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    version=st.text(max_size=4),
    size_bytes=st.none() | st.integers(0, 9),
    sequencer=st.sampled_from(["", "01", "02"]),
)
SIGHTINGS = st.builds(
    Sighting, recorded_at_ms=st.integers(1, 3), recorded_by=CLOUDS, sha256=SHA256, size_bytes=st.integers(0, 2)
)


@st.composite
def recorded(draw: st.DrawFn) -> Record:
    """A record of state `recorded`, whose conflicts are as a merge leaves them: later, and of other contents."""
    own = draw(SIGHTINGS)
    others = draw(st.lists(SIGHTINGS, max_size=2, unique_by=lambda s: s.sha256))
    return Record(
        upload=draw(UPLOADS),
        state=State.RECORDED,
        size_bytes=own.size_bytes,
        sha256=own.sha256,
        content_type=draw(st.sampled_from(["", "text/plain"])),
        facts=draw(FACTS),
        recorded_at_ms=own.recorded_at_ms,
        recorded_by=own.recorded_by,
        conflicts=tuple(sorted(s for s in others if s.sha256 != own.sha256 and s > own)),
    )


OPEN = st.builds(
    Record,
    upload=UPLOADS,
    state=st.sampled_from([State.PENDING, State.CLAIMED, State.PARKED, State.GONE]),
    attempt=st.integers(0, 3),
    owner=st.sampled_from(["", "a", "b"]),
    lease_until_at_ms=st.integers(0, 3),
    reason=st.text(max_size=5),
)
RECORDS = OPEN | recorded()
