"""Which scenario can be played where, and how one is fitted to deployed clouds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from drills.failover.faults import aws as aws_faults
from drills.failover.faults import google as google_faults
from drills.failover.scenario import Durations, FaultName, Scenario, Target, TimedAction, TimedFault
from drills.failover.scenario_file import ScenarioError, read_scenario, scenario_paths

_ON_DEPLOYED: Mapping[str, frozenset[FaultName]] = {"aws": aws_faults.FAULTS, "gcp": google_faults.FAULTS}
_NOT_ON_LOCAL = frozenset({FaultName.PERMISSION_REVOKED, FaultName.INVOKER_REVOKED})
# With a deployment's own waits: after twelve good looks and five minutes of cool-down the route goes back.
_FAIL_BACK_S, _QUIET_S = 900.0, 300.0
_GOALS_ANYWHERE = ("error_share", "failed_try_count")


def require_possible(scenario: Scenario, target: Target) -> None:
    """Refuse what cannot be made there.

    Raises:
        ScenarioError: In one line, with the scenarios that can be played.
    """
    impossible = _impossible(scenario, target)
    if impossible:
        others = ", ".join(possible_names(target))
        raise ScenarioError(
            f"{scenario.name} needs {', '.join(impossible)}, which cannot be made on {target} clouds; "
            f"what can be played there: {others}"
        )


def possible_names(target: Target) -> list[str]:
    """Of our own scenarios."""
    return [name for name, path in scenario_paths().items() if not _impossible(read_scenario(path), target)]


def fit_to_deployed(scenario: Scenario, clouds: Sequence[str], *, seed: int, slower: float) -> Scenario:
    """The scenario with these clouds, slower, and with the goals that have nothing to do with the local clouds' waits.

    Args:
        clouds: The preferred one first, as their route says.
        seed: Of this run alone, so that names of files come once.
        slower: Factor of all lengths of the time line.

    Raises:
        ScenarioError: It needs a cloud that is not there.
    """
    wanted = {each.cloud for each in scenario.faults} | {each.to for each in scenario.actions if each.to}
    missing = sorted(wanted - set(clouds))
    if missing or scenario.copies > len(clouds):
        needed = ", ".join(missing) or f"{scenario.copies} clouds"
        raise ScenarioError(f"{scenario.name} needs {needed}; the peers file has {', '.join(clouds)}")
    durations = scenario.durations
    return replace(
        scenario,
        clouds=tuple(clouds),
        seed=seed,
        bucket=scenario.bucket if scenario.bucket in clouds else clouds[0],
        faults=tuple(_slower_fault(each, slower) for each in scenario.faults),
        actions=tuple(_slower_action(each, slower) for each in scenario.actions),
        durations=Durations(
            before_s=durations.before_s * slower,
            after_s=durations.after_s * slower,
            fail_back_s=max(_FAIL_BACK_S, durations.fail_back_s),
            quiet_s=max(_QUIET_S, durations.quiet_s),
        ),
        goals={name: goal for name, goal in scenario.goals.items() if name in _GOALS_ANYWHERE},
    )


def repeat(scenario: Scenario, *, count: int, pause_s: float) -> Scenario:
    """The time line so many times, one after the other, with a pause in between."""
    starts_s = [number * (scenario.lasts_s + pause_s) for number in range(count)]
    return replace(
        scenario,
        faults=tuple(replace(each, at_s=each.at_s + start_s) for start_s in starts_s for each in scenario.faults),
        actions=tuple(replace(each, at_s=each.at_s + start_s) for start_s in starts_s for each in scenario.actions),
    )


def _impossible(scenario: Scenario, target: Target) -> list[str]:
    """The faults that cannot be made, each with its cloud."""
    found = [f"{each.fault} on {each.cloud}" for each in scenario.faults if not _can_be_made(each, target)]
    return list(dict.fromkeys(found))


def _can_be_made(fault: TimedFault, target: Target) -> bool:
    if target is Target.DEPLOYED:
        return fault.fault in _ON_DEPLOYED.get(fault.cloud, frozenset())
    if fault.fault is FaultName.CONCURRENCY_0:
        return fault.cloud == "aws"
    return fault.fault not in _NOT_ON_LOCAL


def _slower_fault(fault: TimedFault, slower: float) -> TimedFault:
    return replace(fault, at_s=fault.at_s * slower, for_s=fault.for_s * slower)


def _slower_action(action: TimedAction, slower: float) -> TimedAction:
    return replace(action, at_s=action.at_s * slower)
