"""The benchmark's figures as text: one table for each cloud, and how they compare with the goals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drills.bench.sampling import Medians
from drills.text_table import format_table

_COLUMNS = {"cold": "cold_ms", "cold CPU": "cold_cpu_ms", "warm": "warm_ms"}
_UNKNOWN = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Sluice needs at most `max_ratio` of what another handler needs; `what` is a column: cold, cold CPU, warm."""

    what: str
    max_ratio: float
    against: str = "naive"


def format_figures(medians: Mapping[str, Medians]) -> str:
    """A row for each handler: medians in ms, and their ratios to the naive handler's."""
    rows = [("handler", *(title for what in _COLUMNS for title in (f"{what} ms", "ratio")))]
    for handler in medians:
        cells = (
            cell
            for what in _COLUMNS
            for cell in (_number(_value(medians, handler, what), 1), _number(_ratio(medians, handler, what), 2))
        )
        rows.append((handler, *cells))
    return format_table(rows, right_aligned=frozenset(range(1, len(rows[0]))))


def format_goals(medians: Mapping[str, Medians], goals: Sequence[Goal]) -> str:
    """One line: each goal, what came out, and whether that reaches it."""
    return "Goals for sluice: " + "; ".join(_judge(medians, goal) for goal in goals)


def _judge(medians: Mapping[str, Medians], goal: Goal) -> str:
    text = f"{goal.what} ≤ {goal.max_ratio:.2f} × {goal.against}"
    ratio = _ratio(medians, "sluice", goal.what, against=goal.against)
    if ratio is None:
        return f"{text}: not measured"
    return f"{text}: {ratio:.2f} {'reached' if ratio <= goal.max_ratio else 'missed'}"


def _ratio(medians: Mapping[str, Medians], handler: str, what: str, *, against: str = "naive") -> float | None:
    value, base = _value(medians, handler, what), _value(medians, against, what)
    return value / base if value is not None and base else None


def _value(medians: Mapping[str, Medians], handler: str, what: str) -> float | None:
    value: float | None = getattr(medians[handler], _COLUMNS[what])
    return value


def _number(value: float | None, digit_count: int) -> str:
    return _UNKNOWN if value is None else f"{value:.{digit_count}f}"
