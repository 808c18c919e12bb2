"""Parts that both plots are drawn from: axes of time and values, bands of faults, patterns beside colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from drills.failover.report.markup import Html, tag
from drills.failover.report.plot_data import PlotData, Span

WIDTH = 760.0
LEFT = 96.0
RIGHT = WIDTH - 16
LANE_HEIGHT = 18.0
SERIES_COUNT = 5  # kinds of fill in report.css
_CHARACTER_WIDTH = 6.3  # generous, so that texts do not run into each other
_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_TICK_MAX_COUNT = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A stretch of the drawing, with an axis of values from 0 (or `lowest`) at its bottom."""

    top: float
    height: float
    highest: float
    lowest: float = 0.0
    is_log: bool = False

    def y(self, value: float) -> float:
        """Where a value stands; what is below the axis stands on it."""
        if self.is_log:
            share: float = math.log(max(value, self.lowest) / self.lowest) / math.log(self.highest / self.lowest)
        else:
            share = value / self.highest
        return self.top + self.height * (1 - share)

    @property
    def bottom(self) -> float:
        return self.top + self.height


def x(data: PlotData, at_ms: float) -> float:
    """Where an instant stands."""
    return LEFT + (RIGHT - LEFT) * min(at_ms / data.length_ms, 1)


def text(content: str, left: float, top: float, *, anchor: str = "start", class_: str = "quiet") -> Html:
    return tag("text", content, x=left, y=top, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, *, class_: str) -> Html:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(left: float, top: float, width: float, height: float, *children: Html, class_: str) -> Html:
    return tag("rect", *children, x=left, y=top, width=max(width, 0.5), height=height, class_=class_)


def fits(content: str, width: float) -> bool:
    """Whether a text has room."""
    return len(content) * _CHARACTER_WIDTH < width


def round_up(value: float) -> float:
    """The end of an axis: 1, 2, 4, 5 or 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 4, 5, 10) if factor * power >= value * 0.999)


def value_axis(panel: Panel, values: Sequence[float], label: str, unit: str = "") -> list[Html]:
    """Lines across, their numbers, and what the numbers are of."""
    parts = [text(label, 0, panel.top + 22, class_="label")]
    for value in values:
        parts.append(line(LEFT, panel.y(value), RIGHT, panel.y(value), class_="grid"))
        parts.append(text(f"{value:g}{unit}", LEFT - 6, panel.y(value) + 4, anchor="end"))
    return parts


def time_axis(data: PlotData, top: float, bottom: float) -> list[Html]:
    """Seconds after the start, and where one phase ends and the next begins."""
    length_s = data.length_ms / 1000
    step_s = next((step for step in _TIME_STEPS_S if length_s / step <= _TICK_MAX_COUNT), _TIME_STEPS_S[-1])
    parts = [text("seconds", 0, bottom + 16, class_="label")]
    for at_s in range(0, int(length_s) + 1, step_s):
        left = x(data, at_s * 1000)
        parts += [
            line(left, bottom, left, bottom + 4, class_="axis"),
            text(str(at_s), left, bottom + 16, anchor="middle"),
        ]
    for phase in data.phases[1:]:
        parts.append(line(x(data, phase.from_ms), top, x(data, phase.from_ms), bottom, class_="phase"))
    return parts


def phase_names(data: PlotData, top: float) -> list[Html]:
    """Named where there is room; the lines between them stay."""
    return [
        text(phase.text, x(data, phase.from_ms) + 4, top + 12, class_="quiet")
        for phase in data.phases
        if fits(phase.text, x(data, phase.to_ms) - x(data, phase.from_ms))
    ]


def fault_lanes(data: PlotData, top: float, bottom: float) -> tuple[list[Html], float]:
    """Draw faults as bands down to `bottom`, with their names in as many lanes as keep them apart.

    Returns:
        The parts, and the height of the lanes.
    """
    lanes: list[float] = []
    parts: list[Html] = []
    for fault in sorted(data.faults, key=lambda each: each.from_ms):
        left, right = x(data, fault.from_ms), x(data, fault.to_ms)
        name_width = len(fault.text) * _CHARACTER_WIDTH + 10
        name_left = min(left, max(RIGHT - name_width, LEFT))
        lane = next((index for index, end in enumerate(lanes) if end <= name_left), len(lanes))
        lanes[lane : lane + 1] = [max(right, name_left + name_width)]
        lane_top = top + lane * LANE_HEIGHT
        parts += [
            rect(left, lane_top, right - left, bottom - lane_top, class_="fault"),
            rect(left, lane_top, right - left, 3, tag("title", fault.text), class_="fault-edge"),
            text(fault.text, name_left + 4, lane_top + 15, class_="fault-name"),
        ]
    return parts, len(lanes) * LANE_HEIGHT


def strip(data: PlotData, name: str, spans: Sequence[Span], top: float, fills: Sequence[str]) -> list[Html]:
    """A row of states. Each says its text when pointed at, and shows it where there is room."""
    parts = [text(name, 0, top + 13, class_="label")]
    for span, fill in zip(spans, fills, strict=True):
        left, width = x(data, span.from_ms), x(data, span.to_ms) - x(data, span.from_ms)
        parts.append(rect(left, top, width, LANE_HEIGHT, tag("title", span.text), class_=f"state {fill}"))
        shown = span.cloud if name in ("Route", "DNS name") and span.cloud else span.text
        if fits(shown, width - 6):
            parts.append(text(shown, left + 5, top + 13, class_=f"on on-{fill}"))
    return parts


def patterns() -> Html:
    """Marks on top of colours, so that clouds differ in print and for everyone: none, strokes, dots, and so on."""
    marks = (
        "",
        "M-1,1 l2,-2 M0,8 l8,-8 M7,9 l2,-2",
        "M2,2 h2 v2 h-2 z M6,6 h2 v2 h-2 z",
        "M0,4 h8",
        "M4,0 v8",
    )
    return tag(
        "defs",
        *[
            tag(
                "pattern",
                tag("rect", width=8, height=8, class_=f"fill-{index}"),
                tag("path", d=mark, class_="mark") if mark else Html(),
                id=f"pattern-{index}",
                width=8,
                height=8,
                patternUnits="userSpaceOnUse",
            )
            for index, mark in enumerate(marks)
        ],
    )


def drawing(title: str, description: str, parts: Sequence[Html], *, height: float, name: str) -> Html:
    """The whole picture, for eyes and for screen readers."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-description"),
        *parts,
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-description",
    )
