"""The time line of a drill: requests per second of each cloud, errors, route, name and health, under the faults."""

from drills.failover.report.markup import Html, join, scrolling, table, tag
from drills.failover.report.plot_data import NOT_SUSPECTED, PlotData, Span
from drills.failover.report.plot_parts import (
    LANE_HEIGHT,
    SERIES_COUNT,
    Panel,
    drawing,
    fault_lanes,
    patterns,
    phase_names,
    rect,
    round_up,
    strip,
    time_axis,
    value_axis,
    x,
)

_REQUESTS_HEIGHT, _ERRORS_HEIGHT, _GAP = 150.0, 52.0, 14.0
_STRIP_STEP = LANE_HEIGHT + 4
_ERROR_LEAST_HEIGHT = 2.0  # one error in an hour is to be seen


def timeline_plot(data: PlotData) -> Html:
    """Draw it, with its legend."""
    top = 4 + LANE_HEIGHT
    lanes_height = fault_lanes(data, top, top)[1]
    requests = Panel(top=top + lanes_height + 6, height=_REQUESTS_HEIGHT, highest=_highest_sum(data))
    errors = Panel(top=requests.bottom + _GAP, height=_ERRORS_HEIGHT, highest=round_up(max(data.error_rates())))
    strips_top = errors.bottom + _GAP
    bottom = strips_top + len(data.strips) * _STRIP_STEP
    parts = [
        patterns(),
        *phase_names(data, 0),
        *fault_lanes(data, top, bottom)[0],
        *value_axis(requests, [0, requests.highest / 2, requests.highest], "requests/s"),
        *_stacked(data, requests),
        *value_axis(errors, [0, errors.highest], "errors/s"),
        *_error_bars(data, errors),
    ]
    for index, (name, spans) in enumerate(data.strips):
        fills = [_fill(data, name, span) for span in spans]
        parts += strip(data, name, spans, strips_top + index * _STRIP_STEP, fills)
    parts += time_axis(data, 0, bottom)
    parts += _pointed_at(data, requests.top, errors.bottom)
    picture = drawing("Time line", _description(data), parts, height=bottom + 22, name="timeline")
    return tag("figure", scrolling(picture, label="Time line, scrolls sideways"), _legend(data))


def timeline_table(data: PlotData) -> Html:
    """The same numbers, to be read."""
    rows = []
    for index, step in enumerate(data.steps):
        at_ms = index * data.step_s * 1000
        states = [_state_at(spans, at_ms) for _, spans in data.strips]
        counts = [str(step.ok_counts.get(cloud, 0)) for cloud in data.clouds]
        rows.append([str(index * data.step_s), *counts, str(sum(step.error_counts.values())), *states])
    header = ["Second", *(f"{cloud}: ok" for cloud in data.clouds), "Errors", *(name for name, _ in data.strips)]
    numeric = frozenset(range(len(data.clouds) + 2))
    caption = "Requests that ended in each second" if data.step_s == 1 else f"Requests in each {data.step_s} s"
    return scrolling(table(caption, header, rows, numeric=numeric, class_="wide"), label=caption)


def _stacked(data: PlotData, panel: Panel) -> list[Html]:
    """Areas, one on the other; drawn as steps, because nothing is known between them."""
    base, parts = [0.0] * len(data.steps), []
    for index, cloud in enumerate(data.clouds):
        tops = [low + rate for low, rate in zip(base, data.rates(cloud), strict=True)]
        there = _edge(data, panel, tops)
        back = _edge(data, panel, base)[::-1]
        path = "M" + " L".join(f"{left:.1f},{top:.1f}" for left, top in there + back) + " Z"
        parts.append(tag("path", d=path, class_=f"area area-{index % SERIES_COUNT}"))
        base = tops
    return parts


def _edge(data: PlotData, panel: Panel, values: list[float]) -> list[tuple[float, float]]:
    points = []
    for index, value in enumerate(values):
        left, right = (x(data, step * data.step_s * 1000) for step in (index, index + 1))
        points += [(left, panel.y(value)), (right, panel.y(value))]
    return points


def _error_bars(data: PlotData, panel: Panel) -> list[Html]:
    parts = []
    for index, rate in enumerate(data.error_rates()):
        if rate:
            left, right = (x(data, step * data.step_s * 1000) for step in (index, index + 1))
            height = max(panel.bottom - panel.y(rate), _ERROR_LEAST_HEIGHT)
            parts.append(rect(left, panel.bottom - height, right - left, height, class_="error"))
    return parts


def _pointed_at(data: PlotData, top: float, bottom: float) -> list[Html]:
    """What the pointer shows above a step."""
    parts = []
    for index, step in enumerate(data.steps):
        left, right = (x(data, each * data.step_s * 1000) for each in (index, index + 1))
        counts = ", ".join(f"{cloud} {step.ok_counts.get(cloud, 0)}" for cloud in data.clouds)
        words = f"second {index * data.step_s}: {counts}; errors {sum(step.error_counts.values())}"
        parts.append(rect(left, top, right - left, bottom - top, tag("title", words), class_="pointed-at"))
    return parts


def _fill(data: PlotData, strip_name: str, span: Span) -> str:
    if not span.cloud:
        return "untold"
    if strip_name.startswith("Health"):
        return "well" if span.text == NOT_SUSPECTED else "unwell"
    return f"cloud-{data.clouds.index(span.cloud) % SERIES_COUNT}" if span.cloud in data.clouds else "untold"


def _state_at(spans: tuple[Span, ...], at_ms: float) -> str:
    return next((span.text for span in spans if span.from_ms <= at_ms < span.to_ms), "")


def _highest_sum(data: PlotData) -> float:
    return round_up(max(sum(rates) for rates in zip(*map(data.rates, data.clouds), strict=True)))


def _legend(data: PlotData) -> Html:
    items = [tag("li", _swatch(f"area-{index % SERIES_COUNT}"), cloud) for index, cloud in enumerate(data.clouds)]
    items += [tag("li", _swatch("error"), "errors"), tag("li", _swatch("fault"), "fault")]
    return tag("figcaption", tag("ul", *items, class_="legend"), *([_steps_note(data)] if data.step_s > 1 else []))


def _swatch(css: str) -> Html:
    square = tag("rect", width=14, height=14, class_=css)
    return tag("svg", square, viewBox="0 0 14 14", class_="swatch", aria_hidden="true")


def _steps_note(data: PlotData) -> Html:
    return tag("p", f"Each step is {data.step_s} s: its requests and errors are averages per second.", class_="note")


def _description(data: PlotData) -> str:
    """What the picture shows, in words."""
    of_clouds = ", ".join(
        f"{cloud} {sum(step.ok_counts.get(cloud, 0) for step in data.steps)}" for cloud in data.clouds
    )
    error_count = sum(sum(step.error_counts.values()) for step in data.steps)
    faults = [f"{each.text}, from second {each.from_ms / 1000:g} to {each.to_ms / 1000:g}" for each in data.faults]
    routes = [
        f"{each.cloud or 'not told'} from second {each.from_ms / 1000:g}"
        for name, spans in data.strips
        if name == "Route"
        for each in spans
    ]
    return join(
        [
            f"Successful requests over {data.length_ms / 1000:g} seconds: {of_clouds}. Errors: {error_count}.",
            f"Faults: {'; '.join(faults) or 'none'}.",
            f"Route: {', '.join(routes)}.",
            "The table below has every number.",
        ],
        " ",
    )
