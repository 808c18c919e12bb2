"""The types of the API's problem documents (RFC 9457): stable, and listed in docs/api.md."""

import json

PREFIX = "https://sluice.invalid/problems/"

# Name: status, title. The title never says more than the type does.
PROBLEMS = {
    "bad-request": (400, "The request is not as this endpoint takes it"),
    "digest-mismatch": (400, "The body is not what its digest says"),
    "short-body": (400, "The body ended before its Content-Length"),
    "unauthorized": (401, "The request is not authenticated"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "This endpoint does not take this method"),
    "route-held": (409, "Another route is held, of the same epoch or a later one"),
    "length-required": (411, "The request must declare its Content-Length"),
    "too-large": (413, "The body is too large for this endpoint"),
    "unsupported-encoding": (415, "The body must not be encoded"),
    "other-upload": (422, "Another upload stands under this id"),
    "foreign-url": (422, "The work's URL does not point to where a peer's objects are"),
    "internal": (500, "Sluice failed"),
    "not-active": (503, "This cloud is not the active one, or cannot tell"),
    "not-enough-copies": (503, "Too few clouds hold the upload: nothing is acknowledged"),
    "unavailable": (503, "A service of this cloud cannot be used now"),
}

# Those that say that the upload itself is to blame: it would fail on every cloud.
REJECTIONS = frozenset({"other-upload", "foreign-url"})


def name_of(document: bytes) -> str:
    """The name of a problem document's type; "" if it is none of ours."""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return ""
    problem_type = found.get("type") if isinstance(found, dict) else None
    name = problem_type.removeprefix(PREFIX) if isinstance(problem_type, str) else ""
    return name if name in PROBLEMS else ""
