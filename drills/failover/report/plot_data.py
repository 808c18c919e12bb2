"""What the plots show, out of a report: numbers over time in a bounded count of steps, and states from when to when."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STEP_MAX_COUNT = 240  # more cannot be told apart on a screen, and a soak of hours must not make a file of megabytes
NO_CLOUD = "no cloud"
NOT_SUSPECTED = "no suspicion told"

_State = tuple[int, str, str]  # from when, the cloud that it is about or "", in words
_NOT_TOLD: _State = (0, "", "not told yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Of one road in one step: the median over its seconds and clouds, weighted by their requests; the longest."""

    p50_ms: float
    max_ms: float


@dataclass(slots=True, kw_only=True)
class Step:
    """What ended within one step of time.

    Attributes:
        ok_counts, error_counts: By the cloud that was asked.
        latencies: By road; none where nothing succeeded.
    """

    ok_counts: dict[str, int] = field(default_factory=dict)
    error_counts: dict[str, int] = field(default_factory=dict)
    latencies: dict[str, Latency] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A state from when to when, in ms after the start. `cloud` is "" where the state is not known."""

    from_ms: float
    to_ms: float
    cloud: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotData:
    """A drill over time. `step_s` is 1 but for long drills; all instants are ms after `start_at_ms`."""

    start_at_ms: int
    length_ms: int
    step_s: int
    steps: tuple[Step, ...]
    clouds: tuple[str, ...]
    roads: tuple[str, ...]
    faults: tuple[Span, ...]
    phases: tuple[Span, ...]
    strips: tuple[tuple[str, tuple[Span, ...]], ...]

    def rates(self, cloud: str) -> list[float]:
        """Successful requests per second at a cloud, step by step."""
        return [step.ok_counts.get(cloud, 0) / self.step_s for step in self.steps]

    def error_rates(self) -> list[float]:
        """Failed requests per second, step by step."""
        return [sum(step.error_counts.values()) / self.step_s for step in self.steps]


def plot_data(report: Mapping[str, Any]) -> PlotData:
    """Sort a report by time. What lies outside of the load's time is cut off."""
    start_ms, end_ms = _window(report)
    length_ms = max(end_ms - start_ms, 1000)
    step_s = math.ceil(length_ms / 1000 / STEP_MAX_COUNT)
    seconds: Sequence[Mapping[str, Any]] = report["seconds"]
    asked = [each["cloud"] or NO_CLOUD for each in seconds]
    clouds = tuple(dict.fromkeys([*report["clouds"], *asked]))
    return PlotData(
        start_at_ms=start_ms,
        length_ms=length_ms,
        step_s=step_s,
        steps=_steps(seconds, start_ms=start_ms, step_s=step_s, count=math.ceil(length_ms / 1000 / step_s)),
        clouds=clouds,
        roads=tuple(dict.fromkeys([*report["roads"], *(each["road"] for each in seconds)])),
        faults=_cut(
            [
                (each["from_at_ms"], each["to_at_ms"], each["cloud"], f"{each['cloud']}: {each['what']}".strip(": "))
                for each in report["bands"]
            ],
            start_ms,
            length_ms,
        ),
        phases=_cut(
            [(each["from_at_ms"], each["to_at_ms"], "", each["name"]) for each in report["phases"]],
            start_ms,
            length_ms,
        ),
        strips=_strips(report, start_ms, length_ms),
    )


def _window(report: Mapping[str, Any]) -> tuple[int, int]:
    """The time of the load: of the phases, and of requests that ended later."""
    starts = [each["from_at_ms"] for each in report["phases"]] + [each["at_ms"] for each in report["seconds"]]
    ends = [each["to_at_ms"] for each in report["phases"]] + [each["at_ms"] + 1000 for each in report["seconds"]]
    if not starts:
        return report["started_at_ms"], report["finished_at_ms"]
    return min(starts), max(ends)


def _steps(seconds: Sequence[Mapping[str, Any]], *, start_ms: int, step_s: int, count: int) -> tuple[Step, ...]:
    steps = tuple(Step() for _ in range(count))
    medians: list[dict[str, list[tuple[float, int]]]] = [{} for _ in steps]
    longest: list[dict[str, float]] = [{} for _ in steps]
    for each in seconds:
        index = min((each["at_ms"] - start_ms) // (1000 * step_s), count - 1)
        step, cloud, road = steps[index], each["cloud"] or NO_CLOUD, each["road"]
        step.ok_counts[cloud] = step.ok_counts.get(cloud, 0) + each["ok_count"]
        step.error_counts[cloud] = step.error_counts.get(cloud, 0) + each["error_count"]
        if each["p50_ms"] is not None and each["max_ms"] is not None:
            medians[index].setdefault(road, []).append((each["p50_ms"], max(each["ok_count"], 1)))
            longest[index][road] = max(longest[index].get(road, 0), each["max_ms"])
    for step, of_roads, longest_of in zip(steps, medians, longest, strict=True):
        for road, weighted in of_roads.items():
            step.latencies[road] = Latency(p50_ms=_weighted_median(weighted), max_ms=longest_of[road])
    return steps


def _weighted_median(weighted: Sequence[tuple[float, int]]) -> float:
    half, passed = sum(weight for _, weight in weighted) / 2, 0
    for value, weight in sorted(weighted):
        passed += weight
        if passed >= half:
            return value
    raise ValueError("no median of nothing")


def _strips(report: Mapping[str, Any], start_ms: int, length_ms: int) -> tuple[tuple[str, tuple[Span, ...]], ...]:
    """Route and name: the cloud that they lead to. Health: who suspects each cloud."""
    told = sorted(report["events"], key=lambda each: int(each["at_ms"]))
    kinds = {"Route": "route"} | ({"DNS name": "dns"} if any(each["kind"] == "dns" for each in told) else {})
    states = {
        name: [_NOT_TOLD, *((each["at_ms"], each["cloud"], each["text"]) for each in told if each["kind"] == kind)]
        for name, kind in kinds.items()
    }
    for cloud in report["clouds"]:
        states[f"Health {cloud}"] = _health(
            [each for each in told if each["kind"] == "health" and each["cloud"] == cloud], cloud
        )
    return tuple((name, _spans(each, start_ms, length_ms)) for name, each in states.items())


def _health(events: Sequence[Mapping[str, Any]], cloud: str) -> list[_State]:
    """Count up who suspects a cloud. A text that says neither is shown as it is, and counts as not understood."""
    suspecting: list[str] = []
    states: list[_State] = [(0, cloud, NOT_SUSPECTED)]
    for event in events:
        match event["text"].split(maxsplit=2):
            case [voter, "suspects", _]:
                suspecting = [*suspecting, voter]
            case [voter, "sees", _]:
                suspecting = [each for each in suspecting if each != voter]
            case _:
                states.append((event["at_ms"], "", event["text"]))
                continue
        states.append((event["at_ms"], cloud, f"suspected by {', '.join(suspecting)}" if suspecting else NOT_SUSPECTED))
    return states


def _spans(states: Sequence[_State], start_ms: int, length_ms: int) -> tuple[Span, ...]:
    """Each state holds until the next one. Before the first one nobody told the state: that is not hidden."""
    ends = [*(at_ms for at_ms, _, _ in states[1:]), start_ms + length_ms]
    spans = [(at_ms, end, cloud, text) for (at_ms, cloud, text), end in zip(states, ends, strict=True)]
    return _cut(spans, start_ms, length_ms)


def _cut(spans: Sequence[tuple[int, int, str, str]], start_ms: int, length_ms: int) -> tuple[Span, ...]:
    cut = []
    for from_at_ms, to_at_ms, cloud, text in spans:
        from_ms, to_ms = max(from_at_ms - start_ms, 0), min(to_at_ms - start_ms, length_ms)
        if from_ms < to_ms:
            cut.append(Span(from_ms=from_ms, to_ms=to_ms, cloud=cloud, text=text))
    return tuple(cut)
