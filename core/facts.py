"""What the user's function returned, if a ledger can hold it."""

import json
from typing import Any

from core.errors import HandlingError
from core.record import FACTS_MAX_BYTES


def checked_facts(facts: object) -> dict[str, Any]:
    """The facts as a dict of its own; None gives an empty one.

    Raises:
        HandlingError: They are no dict, nothing that JSON can hold, or too large.
    """
    if facts is None:
        return {}
    if not isinstance(facts, dict) or not isinstance(facts.get("content_type", ""), str):
        raise HandlingError("handle_upload must return a dict, or None, and content_type in it must be text")
    try:
        size_bytes = len(json.dumps(facts, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise HandlingError(f"handle_upload must return what JSON can hold: {error}") from error
    if size_bytes > FACTS_MAX_BYTES:
        raise HandlingError(f"handle_upload returned {size_bytes} bytes of facts; a record holds {FACTS_MAX_BYTES}")
    return dict(facts)
