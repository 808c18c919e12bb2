"""Nonces that were seen: a signed request is taken once, whichever of a cloud's functions it reaches.

Rows of the control table, one for each minute and first two digits of the nonce, used again after an hour: so there are
never more than 15,360 of them, and none has to be deleted.
"""

from core.errors import TransientError
from core.ports import Ledger
from core.signing import WINDOW_S

_MINUTE_MS = 60_000
_MINUTE_COUNT = 60
_NONCES_MAX_CHARS = 32_000  # of a text in a row; some 960 nonces
_WRITE_TRIES = 8

assert _MINUTE_COUNT * 60 > 2 * WINDOW_S, "a row must not be used again while its nonces count"


def is_new(control: Ledger, nonce: str, *, at_ms: int) -> bool:
    """Remember a nonce. False: it was seen before.

    Args:
        at_ms: When the request was signed; the signature covers it, so a replay has the same.

    Raises:
        TransientError: Too many requests at once; the sender may try again with a fresh nonce.
    """
    minute = at_ms // _MINUTE_MS
    row_id = f"nonces/{minute % _MINUTE_COUNT}/{nonce[:2]}"
    for _ in range(_WRITE_TRIES):
        row = control.get(row_id)
        seen = str(row.fields["nonces"]) if row and row.fields["minute"] == minute else ""
        if nonce in seen.split():
            return False
        if len(seen) + len(nonce) >= _NONCES_MAX_CHARS:
            break
        fields: dict[str, str | int] = {"minute": minute, "nonces": f"{seen} {nonce}".strip()}
        if control.put(row_id, fields, expect=row.version if row else None) is not None:
            return True
    raise TransientError("too many signed requests at once")
