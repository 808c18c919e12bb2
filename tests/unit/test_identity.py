"""An upload's id: the same for every sighting, different for every upload."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.upload import Deleted, Deletion, deletion_id_of, upload_id_of

WORDS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
FACTS = st.fixed_dictionaries({"cloud": WORDS, "bucket": WORDS, "key": WORDS, "version": WORDS})


@pytest.mark.parametrize(
    ("facts", "upload_id"),
    [
        (("aws", "b", "k", "v"), "230938ec-be0f-5c0c-8871-66e4c3ce2c8d"),
        (("aws", "b", "🦥 +%2B", "etag:0"), "f89a30ba-dc2d-5ce4-8c12-78b454b10259"),
    ],
)
def test_ids_never_change(facts: tuple[str, str, str, str], upload_id: str) -> None:
    """Ids that stand in ledgers must come out the same in every later version."""
    cloud, bucket, key, version = facts

    assert upload_id_of(cloud=cloud, bucket=bucket, key=key, version=version) == upload_id


@given(one=FACTS, other=FACTS)
def test_different_facts_give_different_ids(one: dict[str, str], other: dict[str, str]) -> None:
    """No separator in a key lets two uploads share an id."""
    assert (upload_id_of(**one) == upload_id_of(**other)) == (one == other)


def test_key_of_the_api_carries_its_id() -> None:
    """An upload through the API keeps its id in every cloud, whatever the version is called there."""
    upload_id = "0b7e1f6e-3a52-4a8e-9a43-3d0d0a1b2c3d"

    ids = {upload_id_of(cloud=c, bucket="b", key=f"u/{upload_id}/a.txt", version=c) for c in ("aws", "gcp")}

    assert ids == {upload_id}


@pytest.mark.parametrize("key", ["u/not-an-id/a", "u/0b7e1f6e-3a52-4a8e-9a43-3d0d0a1b2c3d/a/b", "x/u/…"])
def test_other_keys_do_not(key: str) -> None:
    """Only the API's own form of key is believed."""
    ids = {upload_id_of(cloud=c, bucket="b", key=key, version="1") for c in ("aws", "gcp")}

    assert len(ids) == 2


def test_deletion_row_does_not_hang_on_the_sequencer() -> None:
    """Several deletions of a key share one row, which moves forward; a version's removal has another."""
    deletion = {"cloud": "aws", "bucket": "b", "key": "k", "version": ""}

    first = deletion_id_of(Deletion(deleted=Deleted.KEY, sequencer="1", **deletion))
    second = deletion_id_of(Deletion(deleted=Deleted.KEY, sequencer="2", **deletion))
    removal = deletion_id_of(Deletion(deleted=Deleted.VERSION, sequencer="1", **deletion))

    assert first == second != removal
