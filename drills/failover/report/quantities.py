"""Figures as people read them."""

from datetime import UTC, datetime

NOT_MEASURED = "not measured"


def quantity(value: float | None, unit: str) -> str:
    """A number with its unit: three digits are enough of anything that was measured, counts are written in full.

    Args:
        unit: Of the report: "s", "ms", "uploads", "share" (0 to 1, shown in percent) or "".
    """
    if value is None:
        return NOT_MEASURED
    if unit == "share":
        return f"{_digits(value * 100)} %"
    shown_unit = unit.removesuffix("s") if unit.endswith("uploads") and value == 1 else unit
    return f"{_digits(value)} {shown_unit}".rstrip()


def verdict_of_goal(met: bool | None, goal: str) -> str:
    """Say in words whether a goal was met."""
    if not goal:
        return "no goal"
    return {True: "✓ met", False: "✗ missed", None: "not judged"}[met]


def clock(at_ms: int) -> str:
    """Time of day in UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%H:%M:%S}"


def date_and_clock(at_ms: int) -> str:
    """Date and time of day in UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _digits(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{round(value):,}"
    return f"{value:.3g}"
