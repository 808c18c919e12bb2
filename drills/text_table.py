"""Aligned plain text for terminals and logs, also with emoji, wide characters and control characters in it."""

import unicodedata
from collections.abc import Sequence

_ZERO_WIDTH_CATEGORIES = ("Mn", "Me", "Cf")


def format_table(rows: Sequence[Sequence[str]], *, right_aligned: frozenset[int] = frozenset()) -> str:
    """Return the rows as lines with two spaces between columns.

    Args:
        right_aligned: Indices, from 0, of columns with numbers.
    """
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padding = " " * (width - display_width(cell))
            cells.append(padding + cell if index in right_aligned else cell + padding)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def shorten(text: str, *, width: int) -> str:
    """Make a text printable (control characters become escapes) and at most `width` columns wide, cut with an …"""
    printable = "".join(char if char.isprintable() or _is_zero_width(char) else ascii(char)[1:-1] for char in text)
    if display_width(printable) <= width:
        return printable
    while display_width(printable) > width - 1:
        printable = printable[:-1]
    return printable + "…"


def display_width(text: str) -> int:
    """Return the columns that most terminals use (Unicode Standard Annex #11); joined emoji count as their parts."""
    return sum(0 if _is_zero_width(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _is_zero_width(char: str) -> bool:
    return unicodedata.category(char) in _ZERO_WIDTH_CATEGORIES
