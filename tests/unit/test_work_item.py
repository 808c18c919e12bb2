"""The wire format of a work item."""

import json

import pytest
from hypothesis import given

from core.errors import UploadRejectedError
from core.upload import Upload
from core.work_item import from_payload, is_work_item, to_text
from tests.unit.records import UPLOADS

PAYLOAD = json.loads(to_text(Upload(upload_id="u", cloud="aws", bucket="b", key="k", version="v", size_bytes=0)))


@given(upload=UPLOADS)
def test_round_trip(upload: Upload) -> None:
    """What is sent is received, whatever the key."""
    payload = json.loads(to_text(upload))

    assert is_work_item(payload)
    assert from_payload(payload) == upload


def test_unknown_fields_are_left_out() -> None:
    """A later version may add fields."""
    payload = PAYLOAD | {"news": 1, "upload": PAYLOAD["upload"] | {"news": 1}}

    assert from_payload(payload) == from_payload(PAYLOAD)


@pytest.mark.parametrize(
    "change",
    [
        {"sluice": 2},
        {"sluice": "1"},
        {"sluice": None},
        {"upload": None},
        {"upload": []},
        *({"upload": PAYLOAD["upload"] | {"size_bytes": size}} for size in (-1, "1", 1.5, True)),
        *({"upload": PAYLOAD["upload"] | {name: None}} for name in ("upload_id", "cloud", "bucket", "key", "version")),
    ],
    ids=str,
)
def test_what_is_no_work_item_is_refused(change: dict[str, object]) -> None:
    """A later format, a missing field or one of the wrong type is rejected, not guessed."""
    with pytest.raises(UploadRejectedError):
        from_payload(PAYLOAD | change)


@pytest.mark.parametrize("payload", [None, [], "sluice", {"Records": []}], ids=str)
def test_other_messages_are_told_apart(payload: object) -> None:
    """What somebody else wrote is known before it is read."""
    assert not is_work_item(payload)
