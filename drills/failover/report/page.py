"""One self-contained HTML file: its style is in it, and its own policy forbids it everything else."""

import base64
import hashlib
from pathlib import Path

from drills.failover.report.markup import Html, join, tag

_STYLE = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")


def page(title: str, *content: Html) -> str:
    """Return the whole file. Nothing in it runs, and nothing is fetched: only the style with this hash is allowed."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        Html(f"<style>{_STYLE}</style>"),
    )
    return f'<!doctype html>\n<html lang="en">{head}{tag("body", tag("main", join(content)))}</html>\n'


def section(title: str, *content: str) -> Html:
    """A part of the page under a heading."""
    return tag("section", tag("h2", title), *content)


def note(text: str) -> Html:
    """A remark in small print."""
    return tag("p", text, class_="note")


def folded(summary: str, content: Html, *, is_open: bool = False) -> Html:
    """What most readers do not need to see at once."""
    return tag("details", tag("summary", summary), content, open="" if is_open else None)
