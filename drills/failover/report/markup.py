"""HTML and SVG out of text that may be hostile: all that is not `Html` already is escaped."""

import html
from collections.abc import Sequence

_KEPT = "\n\u200d\ufe0f"  # not printable by themselves, but parts of emoji, or a break that the style decides on
_EMPTY_ELEMENTS = frozenset({"meta"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Make text safe in elements and in quoted attributes.

    Control characters, marks that reverse the direction of writing, and halves of surrogate pairs become visible
    escapes: a name must not be able to look like another one, nor make the file unreadable.
    """
    visible = "".join(char if char.isprintable() or char in _KEPT else ascii(char)[1:-1] for char in text)
    return Html(html.escape(visible, quote=True))


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Html:
    """Return one element.

    Args:
        children: Text, which is escaped, or Html.
        attributes: Without a value (None) they are left out. `class_` is written class, `aria_label` aria-label;
            numbers have one decimal at most.
    """
    opening = name + "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY_ELEMENTS:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{join(children)}</{name}>")


def join(parts: Sequence[str], separator: str = "") -> Html:
    """Put parts one after another, escaping those that are not Html."""
    return Html(separator.join(part if isinstance(part, Html) else escape(part) for part in parts))


def table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: frozenset[int] = frozenset(),
    class_: str = "stacked",
) -> Html:
    """Return a table whose first column names the row.

    The roles say again what the elements say, because on a phone the style lays `stacked` rows out as blocks, and
    browsers then forget that these were tables.

    Args:
        numeric: Indices, from 0, of columns with numbers.
    """
    heads = [
        tag("th", text, scope="col", role="columnheader", class_="number" if index in numeric else None)
        for index, text in enumerate(header)
    ]
    head = tag("thead", tag("tr", *heads, role="row"), role="rowgroup")
    body = tag("tbody", *[_row(header, row, numeric) for row in rows], role="rowgroup")
    return tag("table", tag("caption", caption), head, body, role="table", class_=class_)


def _row(header: Sequence[str], row: Sequence[str], numeric: frozenset[int]) -> Html:
    cells = [tag("th", row[0], scope="row", role="rowheader")]
    for index, cell in enumerate(row[1:], start=1):
        css = "number" if index in numeric else None
        cells.append(tag("td", cell, role="cell", class_=css, data_label=header[index]))
    return tag("tr", *cells, role="row")


def scrolling(content: Html, *, label: str) -> Html:
    """Let content that is wider than the screen scroll by itself, also by keyboard."""
    return tag("div", content, class_="scrolling", tabindex="0", role="region", aria_label=label)


def _attribute(value: str | float) -> Html:
    if isinstance(value, str):
        return value if isinstance(value, Html) else escape(value)
    return Html(f"{value:.1f}".removesuffix(".0"))
