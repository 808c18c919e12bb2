"""Reads the fields of what others sent: JSON objects and queries. Errors name the field and quote nothing."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

NUMBER_MAX = 2**63 - 1  # what a ledger holds
TEXT_MAX_CHARS = 32_000  # likewise
UPLOAD_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

CLOUD = re.compile(r"[a-z0-9-]{1,32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")

_DIGITS = re.compile(r"[0-9]{1,18}")


class FieldError(ValueError):
    """A field is missing, unknown, or makes no sense. The message names it, and is fit to be sent back."""


def object_of(text: bytes) -> dict[str, Any]:
    """The JSON object that a body holds."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FieldError("the body must be JSON") from error
    if not isinstance(found, dict):
        raise FieldError("the body must be a JSON object")
    return found


def only(given: Collection[str], known: Collection[str]) -> None:
    """Refuse names that are not known: a misspelt option would be ignored without a word."""
    if set(given) - set(known):
        raise FieldError(f"there is a field that is not known; known are: {', '.join(sorted(known)) or 'none'}")


def text(given: Mapping[str, Any], name: str, default: str | None = None, *, max_chars: int = TEXT_MAX_CHARS) -> str:
    """A text that can be stored: valid Unicode of up to `max_chars` characters."""
    found = given.get(name, default)
    if not isinstance(found, str):
        raise FieldError(f"{name} must be text")
    if len(found) > max_chars:
        raise FieldError(f"{name} must have up to {max_chars} characters")
    if any("\ud800" <= char <= "\udfff" for char in found):
        raise FieldError(f"{name} must be valid Unicode")
    return found


def number(
    given: Mapping[str, Any], name: str, default: int | None = None, *, low: int = 0, high: int = NUMBER_MAX
) -> int:
    """A whole number from `low` to `high`; in a query it is text of digits."""
    found = given.get(name, default)
    if isinstance(found, str) and _DIGITS.fullmatch(found):
        found = int(found)
    if isinstance(found, float) and found.is_integer():
        found = int(found)  # JSON does not tell 1.0 from 1
    if type(found) is not int or not low <= found <= high:
        raise FieldError(f"{name} must be a whole number from {low} to {high}")
    return found


def matching(given: Mapping[str, Any], name: str, form: re.Pattern[str], what: str, default: str | None = None) -> str:
    """A text of a form; `what` says which."""
    found = text(given, name, default)
    if found != default and not form.fullmatch(found):
        raise FieldError(f"{name} must be {what}")
    return found


def upload_id(given: Mapping[str, Any], name: str = "upload_id") -> str:
    return matching(given, name, UPLOAD_ID, "a UUID in lower case")
