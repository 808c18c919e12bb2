"""Latency over time: for each road the median and the longest of each step, on one logarithmic scale."""

import math

from drills.failover.report.markup import Html, scrolling, table, tag
from drills.failover.report.plot_data import Latency, PlotData
from drills.failover.report.plot_parts import LEFT, Panel, drawing, fault_lanes, text, time_axis, value_axis, x

_HEIGHT, _GAP = 96.0, 26.0


def latency_plot(data: PlotData) -> Html:
    """Draw it, with its legend."""
    top = 4.0
    panels_top = top + fault_lanes(data, top, top)[1] + 20
    lowest, highest = _scale(data)
    panels = [
        Panel(top=panels_top + index * (_HEIGHT + _GAP), height=_HEIGHT, highest=highest, lowest=lowest, is_log=True)
        for index in range(len(data.roads))
    ]
    bottom = panels[-1].bottom if panels else panels_top
    parts = fault_lanes(data, top, bottom)[0]
    decades = [10.0**power for power in range(round(math.log10(lowest)), round(math.log10(highest)) + 1)]
    for panel, road in zip(panels, data.roads, strict=True):
        parts += value_axis(panel, decades, "ms")
        parts.append(text(f"{road} road", LEFT + 4, panel.top - 6, class_="label"))
        parts += _marks(data, panel, road)
    parts += time_axis(data, top, bottom)
    picture = drawing("Latency", _description(data), parts, height=bottom + 22, name="latency")
    return tag("figure", scrolling(picture, label="Latency, scrolls sideways"), _legend(data))


def latency_table(data: PlotData) -> Html:
    """The same numbers, to be read."""
    rows = []
    for index, step in enumerate(data.steps):
        cells = []
        for road in data.roads:
            seen = step.latencies.get(road)
            cells += [f"{seen.p50_ms:g}", f"{seen.max_ms:g}"] if seen else ["–", "–"]
        rows.append([str(index * data.step_s), *cells])
    header = ["Second", *(f"{road}: {which}" for road in data.roads for which in ("p50", "longest"))]
    caption = "Latency in ms of successful requests"
    return scrolling(table(caption, header, rows, numeric=frozenset(range(len(header))), class_="wide"), label=caption)


def _seen(data: PlotData) -> list[Latency]:
    return [latency for step in data.steps for latency in step.latencies.values()]


def _scale(data: PlotData) -> tuple[float, float]:
    """Whole powers of ten around everything seen; nothing is below 1 ms."""
    seen = _seen(data)
    least = max(min((each.p50_ms for each in seen), default=1), 1)
    most = max(max((each.max_ms for each in seen), default=10), 10)
    low = math.floor(math.log10(least))
    return 10.0**low, 10.0 ** max(math.ceil(math.log10(most)), low + 1)


def _marks(data: PlotData, panel: Panel, road: str) -> list[Html]:
    """A line of medians, broken where nothing succeeded, and a stroke above each up to the longest."""
    strokes, points, path, is_open = [], [], [], False
    for index, step in enumerate(data.steps):
        seen = step.latencies.get(road)
        if seen is None:
            is_open = False
            continue
        middle = x(data, (index + 0.5) * data.step_s * 1000)
        at = f"{middle:.1f},{panel.y(seen.p50_ms):.1f}"
        path.append(f"L{at}" if is_open else f"M{at} h0")  # a point by itself is drawn too
        is_open = True
        words = f"second {index * data.step_s}: p50 {seen.p50_ms:g} ms, longest {seen.max_ms:g} ms"
        strokes.append(f"M{at} V{panel.y(seen.max_ms):.1f}")
        points.append(tag("circle", tag("title", words), cx=middle, cy=panel.y(seen.max_ms), r=1.8, class_="longest"))
    return [
        tag("path", d=" ".join(strokes), class_="reach"),
        *points,
        tag("path", d=" ".join(path), class_="median"),
    ]


def _legend(data: PlotData) -> Html:
    line = tag("path", d="M0,7 H14", class_="median")
    dot = tag("circle", cx=7, cy=7, r=3, class_="longest")
    items = [
        tag("li", tag("svg", shape, viewBox="0 0 14 14", class_="swatch", aria_hidden="true"), words)
        for shape, words in ((line, "median (p50) of the second"), (dot, "longest of the second"))
    ]
    words = "Logarithmic scale. Where a road is served by several clouds, the median is that of their medians."
    if data.step_s > 1:
        words += f" Each step is {data.step_s} s."
    return tag("figcaption", tag("ul", *items, class_="legend"), tag("p", words, class_="note"))


def _description(data: PlotData) -> str:
    words = []
    for road in data.roads:
        seen = [step.latencies[road] for step in data.steps if road in step.latencies]
        if seen:
            medians = [each.p50_ms for each in seen]
            longest_ms = max(each.max_ms for each in seen)
            words.append(
                f"{road}: medians from {min(medians):g} to {max(medians):g} ms, longest {longest_ms:g} ms, "
                f"nothing succeeded in {len(data.steps) - len(seen)} of {len(data.steps)} steps."
            )
    return " ".join([*words, "The table below has every number."])
