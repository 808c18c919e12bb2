"""Reads scenarios from YAML, strictly: what is misspelt, missing or impossible is named, with what would be right."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from drills.failover.scenario import (
    CLOUDS,
    ActionName,
    Durations,
    FaultName,
    Load,
    Road,
    Scenario,
    TimedAction,
    TimedFault,
)
from drills.failover.verdict.figure_definitions import GOAL_IDS

FOLDER = Path(__file__).resolve().parent.parent / "scenarios"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_MOST_BYTES = 4 * 1024 * 1024
_FILE_MAX_BYTES = 64 * 1024
_KNOWN = [
    "name",
    "title",
    "description",
    "copies",
    "clouds",
    "seed",
    "client",
    "bucket",
    "load",
    "timeline",
    "durations",
    "goals",
]


class ScenarioError(Exception):
    """The message names the file, the field, and what it may be."""


def scenario_paths(folder: Path = FOLDER) -> dict[str, Path]:
    """The files that there are, by scenario."""
    return {path.stem: path for path in sorted(folder.glob("*.yml"))}


def find_scenario(name: str, *, folder: Path = FOLDER) -> Scenario:
    """One of ours by its name, or any by its path.

    Raises:
        ScenarioError: There is none, or it makes no sense.
    """
    paths = scenario_paths(folder)
    if name in paths:
        return read_scenario(paths[name])
    if name.endswith((".yml", ".yaml")):
        return read_scenario(Path(name))
    raise ScenarioError(
        f"there is no scenario {name!r}; there are: {', '.join(paths)}; or give the path of a .yml file"
    )


def read_scenario(path: Path) -> Scenario:
    """Read one file.

    Raises:
        ScenarioError: It cannot be read, or makes no sense.
    """
    try:
        raw = path.read_bytes()
        given = yaml.safe_load(raw.decode()) if len(raw) <= _FILE_MAX_BYTES else None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ScenarioError(f"{path}: is no YAML: {error}") from error
    try:
        return _scenario(_Fields(given, "", known=_KNOWN), stem=path.stem)
    except _FieldError as error:
        raise ScenarioError(f"{path}: {error}") from error


class _FieldError(Exception):
    pass


class _Fields:
    """A mapping whose fields are all known, read one by one."""

    def __init__(self, given: Any, where: str, *, known: Sequence[str]) -> None:
        self.where = where
        if not isinstance(given, dict):
            raise _FieldError(f"{where or 'the file'} must be a mapping with: {', '.join(known)}")
        self.given: Mapping[str, Any] = given
        for name in given:
            if name not in known:
                raise _FieldError(f"{self.path(name)} is not known; known are: {', '.join(known)}")

    def path(self, name: object) -> str:
        return f"{self.where}.{name}" if self.where else str(name)

    def text(self, name: str, default: str | None = None) -> str:
        found = self.given.get(name, default)
        if not isinstance(found, str) or (default is None and not found.strip()):
            raise _FieldError(f"{self.path(name)} must be text")
        return found.strip()

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        found = self.given.get(name, default)
        if found not in choices and found != default:
            raise _FieldError(f"{self.path(name)} must be one of: {', '.join(choices)}")
        if found is None:
            raise _FieldError(f"{self.path(name)} is missing; it must be one of: {', '.join(choices)}")
        return str(found)

    def number(self, name: str, default: float | None = None, *, low: float, high: float) -> float:
        found = self.given.get(name, default)
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        if found is None or not is_number or not math.isfinite(found) or not low <= found <= high:
            raise _FieldError(f"{self.path(name)} must be a number from {low:g} to {high:g}")
        return float(found)

    def whole(self, name: str, default: int | None = None, *, low: int, high: int) -> int:
        found = self.number(name, default, low=low, high=high)
        if found != int(found):
            raise _FieldError(f"{self.path(name)} must be a whole number from {low} to {high}")
        return int(found)

    def items(self, name: str) -> list[Any]:
        found = self.given.get(name, [])
        if not isinstance(found, list):
            raise _FieldError(f"{self.path(name)} must be a list")
        return found


def _scenario(fields: _Fields, *, stem: str) -> Scenario:
    name = fields.text("name")
    if name != stem or not _NAME.fullmatch(name):
        raise _FieldError(f"name must be the file's, {stem}: small letters, digits and hyphens")
    clouds = _clouds(fields)
    client = _Fields(fields.given.get("client", {}), "client", known=("try_timeout_s", "give_up_s"))
    entries = fields.items("timeline")
    timeline = [_entry(entry, f"timeline[{number}]", clouds) for number, entry in enumerate(entries)]
    faults = tuple(each for each in timeline if isinstance(each, TimedFault))
    _refuse_overlaps(faults)
    return Scenario(
        name=name,
        title=fields.text("title"),
        description=fields.text("description"),
        copies=fields.whole("copies", 2, low=1, high=len(clouds)),
        clouds=clouds,
        seed=fields.whole("seed", 1, low=0, high=2**31),
        try_timeout_s=client.number("try_timeout_s", 3, low=0.1, high=60),
        give_up_s=client.number("give_up_s", 30, low=1, high=300),
        bucket=fields.choice("bucket", clouds, clouds[0]),
        load=_load(fields),
        faults=faults,
        actions=tuple(each for each in timeline if isinstance(each, TimedAction)),
        durations=_durations(fields),
        goals=_goals(fields),
    )


def _clouds(fields: _Fields) -> tuple[str, ...]:
    clouds = fields.items("clouds") or list(CLOUDS)
    if not all(cloud in CLOUDS for cloud in clouds) or len(set(map(str, clouds))) != len(clouds) or len(clouds) < 2:
        raise _FieldError(f"clouds must name at least two of {', '.join(CLOUDS)}, each once, the preferred one first")
    return tuple(clouds)


def _load(fields: _Fields) -> dict[Road, Load]:
    roads = _Fields(fields.given.get("load"), "load", known=[road.value for road in Road])
    if not roads.given:
        raise _FieldError(f"load must have at least one of: {', '.join(Road)}")
    found = {}
    for road in roads.given:
        each = _Fields(roads.given[road], f"load.{road}", known=("per_s", "least_bytes", "most_bytes"))
        least_bytes = each.whole("least_bytes", 100, low=0, high=_MOST_BYTES)
        found[Road(road)] = Load(
            per_s=each.number("per_s", low=0.05, high=50),
            least_bytes=least_bytes,
            most_bytes=each.whole("most_bytes", max(10_000, least_bytes), low=least_bytes, high=_MOST_BYTES),
        )
    return found


def _durations(fields: _Fields) -> Durations:
    usual = Durations()
    each = _Fields(fields.given.get("durations", {}), "durations", known=list(Durations.__slots__))
    return Durations(
        before_s=each.number("before_s", usual.before_s, low=1, high=600),
        after_s=each.number("after_s", usual.after_s, low=1, high=600),
        fail_back_s=each.number("fail_back_s", usual.fail_back_s, low=1, high=600),
        quiet_s=each.number("quiet_s", usual.quiet_s, low=1, high=600),
    )


def _goals(fields: _Fields) -> dict[str, float]:
    goals = _Fields(fields.given.get("goals", {}), "goals", known=GOAL_IDS)
    return {name: goals.number(name, low=0, high=100_000) for name in goals.given}


def _entry(given: Any, where: str, clouds: Sequence[str]) -> TimedFault | TimedAction:
    known = ("at_s", "fault", "cloud", "for_s", "delay_ms", "share", "do", "to")
    each = _Fields(given, where, known=known)
    if ("fault" in each.given) == ("do" in each.given):
        raise _FieldError(
            f"{where} must have either `fault` ({', '.join(FaultName)}) or `do` ({', '.join(ActionName)})"
        )
    at_s = each.number("at_s", low=0, high=3600)
    if "do" in each.given:
        each = _Fields(given, where, known=("at_s", "do", "to"))
        action = ActionName(each.choice("do", list(ActionName)))
        return TimedAction(at_s=at_s, action=action, to=each.choice("to", clouds) if action == "switch" else "")
    fault = FaultName(each.choice("fault", list(FaultName)))
    each = _Fields(given, where, known=_known_of(fault))
    cloud = each.choice("cloud", clouds)
    return TimedFault(
        at_s=at_s,
        fault=fault,
        cloud=cloud,
        for_s=each.number("for_s", low=0.5, high=1800),
        delay_ms=each.whole("delay_ms", low=1, high=60_000) if fault is FaultName.SLOW else 0,
        share=each.number("share", 1.0, low=0.01, high=1) if fault is FaultName.THROTTLED else 1.0,
    )


def _known_of(fault: FaultName) -> list[str]:
    more = {FaultName.SLOW: ["delay_ms"], FaultName.THROTTLED: ["share"]}
    return ["at_s", "fault", "cloud", "for_s", *more.get(fault, [])]


def _refuse_overlaps(faults: Sequence[TimedFault]) -> None:
    """Healing one fault of a cloud heals the others of that cloud, too."""
    for cloud in {each.cloud for each in faults}:
        own = sorted((each for each in faults if each.cloud == cloud), key=lambda each: each.at_s)
        for first, second in pairwise(own):
            if second.at_s < first.ends_at_s:
                raise _FieldError(
                    f"timeline: {second.fault} on {cloud} at {second.at_s:g} s begins before {first.fault} has ended "
                    f"({first.ends_at_s:g} s); a cloud has one fault at a time"
                )
