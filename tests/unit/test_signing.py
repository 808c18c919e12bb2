"""Signed requests: what is accepted, and that nothing else is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.nonces import is_new
from core.signing import WINDOW_S, PeerKeys, SignatureRefusedError, sign, verify
from providers.memory.ledger import MemoryLedger

KEYS = PeerKeys(current="k2", secrets={"k1": b"1" * 32, "k2": b"2" * 32})
NOW_MS = 1_790_000_000_000
BODY = "ab" * 32
NONCE = "0123456789abcdef" * 2


def signed(keys: PeerKeys = KEYS, method: str = "POST", path: str = "/v1/work?x=1", at_ms: int = NOW_MS) -> str:
    return sign(keys, method, path, BODY, sender="aws", recipient="gcp", at_ms=at_ms, nonce=NONCE)


def test_good_request_tells_its_sender() -> None:
    """What was signed for this cloud is accepted, with sender, nonce and digest."""
    found = verify(KEYS, "POST", "/v1/work?x=1", signed(), recipient="gcp", now_ms=NOW_MS)

    assert (found.sender, found.nonce, found.at_ms, found.body_sha256) == ("aws", NONCE, NOW_MS, BODY)


@pytest.mark.parametrize(
    "change", [{"method": "PUT"}, {"path": "/v1/route"}, {"path": "/v1/work?x=2"}, {"recipient": "azure"}]
)
def test_signature_serves_for_nothing_else(change: dict[str, str]) -> None:
    """Another method, path, query or cloud is refused."""
    request = {"method": "POST", "path": "/v1/work?x=1", "recipient": "gcp", **change}

    with pytest.raises(SignatureRefusedError):
        verify(KEYS, request["method"], request["path"], signed(), recipient=request["recipient"], now_ms=NOW_MS)


@given(st.integers(0, len(signed()) - 1), st.characters(codec="ascii"))
def test_no_character_can_be_changed(place: int, char: str) -> None:
    """Whatever is changed in the header, the request is refused."""
    header = signed()
    forged = header[:place] + char + header[place + 1 :]
    if forged == header:
        return

    with pytest.raises(SignatureRefusedError):
        verify(KEYS, "POST", "/v1/work?x=1", forged, recipient="gcp", now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("late_s", "is_good"), [(0, True), (WINDOW_S, True), (WINDOW_S + 1, False), (-WINDOW_S - 1, False)]
)
def test_window(late_s: int, is_good: bool) -> None:
    """A request is good for five minutes, before and after."""
    if is_good:
        assert verify(KEYS, "POST", "/v1/work?x=1", signed(), recipient="gcp", now_ms=NOW_MS + late_s * 1000)
        return
    with pytest.raises(SignatureRefusedError, match="too old"):
        verify(KEYS, "POST", "/v1/work?x=1", signed(), recipient="gcp", now_ms=NOW_MS + late_s * 1000)


def test_rotation() -> None:
    """While two keys are live both are accepted; a key that was dropped is not."""
    old = signed(replace(KEYS, current="k1"))
    assert verify(KEYS, "POST", "/v1/work?x=1", old, recipient="gcp", now_ms=NOW_MS)

    only_new = PeerKeys(current="k2", secrets={"k2": b"2" * 32})
    with pytest.raises(SignatureRefusedError, match="not known"):
        verify(only_new, "POST", "/v1/work?x=1", old, recipient="gcp", now_ms=NOW_MS)


def test_keys_are_checked_and_never_shown() -> None:
    """A short or missing key is refused, and no key stands in a log."""
    with pytest.raises(ValueError, match="32 bytes"):
        PeerKeys(current="a", secrets={"a": b"short"})
    with pytest.raises(ValueError, match="not among"):
        PeerKeys(current="b", secrets={"a": b"1" * 32})
    assert "1111" not in f"{KEYS!r} {KEYS}"


def test_nonce_is_new_once() -> None:
    """A nonce is taken once; others, also of the same row, are not disturbed."""
    control = MemoryLedger()

    assert [is_new(control, nonce, at_ms=NOW_MS) for nonce in ("aa1", "aa2", "aa1", "bb1")] == [True, True, False, True]


def test_rows_of_nonces_are_used_again() -> None:
    """An hour later the same row serves anew, so the table does not grow."""
    control = MemoryLedger()
    for hour in range(3):
        assert is_new(control, NONCE, at_ms=NOW_MS + hour * 3_600_000)

    assert len(control.page(limit=1000).rows) == 1
