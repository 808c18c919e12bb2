"""Scenario files: ours are good, and a mistake is named with file, field and remedy."""

from pathlib import Path

import pytest

from drills.failover.scenario import FaultName, Road
from drills.failover.scenario_file import ScenarioError, find_scenario, read_scenario, scenario_paths

DOCUMENT = Path(__file__).parents[3] / "docs" / "drills.md"
GOOD = """\
name: mine
title: Mine
description: Of my own.
load: {api: {per_s: 2, most_bytes: 500}}
timeline:
  - {at_s: 1, fault: slow, cloud: gcp, delay_ms: 100, for_s: 3}
  - {at_s: 2, do: switch, to: azure}
goals: {rto_api_s: 4}
"""


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "mine.yml"
    path.write_text(text)
    return read_scenario(path)


@pytest.mark.parametrize("name", sorted(scenario_paths()))
def test_ours_are_good(name: str) -> None:
    """Each of our files can be read, and has a load and a goal."""
    scenario = find_scenario(name)

    assert scenario.name == name
    assert set(scenario.load) == set(Road)
    assert scenario.goals


def test_all_that_were_promised_are_there() -> None:
    """The list of docs/drills.md."""
    promised = (
        "cloud-outage functions-dead ledger-dead queue-dead hang slow throttled flapping partition bad-deploy "
        "double-outage stale-controller planned-switch soak concurrency-0 permission-revoked invoker-revoked"
    )
    assert set(promised.split()) <= set(scenario_paths())


def test_example_of_the_manual(tmp_path: Path) -> None:
    """What docs/drills.md shows can be used as it is."""
    text = DOCUMENT.read_text().split("```yaml\n")[1].split("```")[0]

    read(tmp_path, text)


def test_own_scenario(tmp_path: Path) -> None:
    """A user's file, by its path."""
    (tmp_path / "mine.yml").write_text(GOOD)

    scenario = find_scenario(str(tmp_path / "mine.yml"))

    assert scenario.faults[0].fault is FaultName.SLOW
    assert (scenario.lasts_s, scenario.load[Road.API].most_bytes, scenario.bucket) == (4, 500, "aws")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("name: mine", "name: yours", "name must be the file's, mine"),
        ("title: Mine", "", "title must be text"),
        ("load:", "lode:", "lode is not known; known are: name"),
        ("{api: {per_s: 2, most_bytes: 500}}", "{}", "load must have at least one of: dns, api"),
        ("api: {per_s: 2", "apy: {per_s: 2", "load.apy is not known; known are: dns, api, presigned, bucket"),
        ("per_s: 2", "per_s: 0", "load.api.per_s must be a number from 0.05 to 50"),
        ("per_s: 2", "per_s: .nan", "load.api.per_s must be a number"),
        ("per_s: 2", "per_s: true", "load.api.per_s must be a number"),
        ("most_bytes: 500", "most_bytes: 50.5", "load.api.most_bytes must be"),
        ("fault: slow", "fault: slowly", "timeline[0].fault must be one of: functions-dead"),
        ("cloud: gcp", "cloud: ibm", "timeline[0].cloud must be one of: aws, gcp, azure"),
        ("delay_ms: 100, ", "", "timeline[0].delay_ms must be a number from 1"),
        ("delay_ms: 100", "share: 0.5", "timeline[0].share is not known"),
        ("for_s: 3", "for_s: 0", "timeline[0].for_s must be a number from 0.5"),
        ("do: switch, to: azure", "do: switch", "timeline[1].to is missing; it must be one of"),
        ("do: switch, to: azure", "for_s: 3", "timeline[1] must have either `fault`"),
        ("goals: {rto_api_s: 4}", "goals: {rto: 4}", "goals.rto is not known; known are: rto_dns_s"),
        ("goals: {rto_api_s: 4}", "copies: 4", "copies must be a number from 1 to 3"),
        ("goals: {rto_api_s: 4}", "clouds: [aws, aws]", "clouds must name at least two of"),
        ("goals: {rto_api_s: 4}", "durations: {quiet_s: 1e9}", "durations.quiet_s must be a number from 1 to 600"),
        (GOOD, "- a\n- b\n", "the file must be a mapping"),
        (GOOD, "a: [", "is no YAML"),
    ],
)
def test_mistake_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Each says which file, which field, and what would be right."""
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, GOOD.replace(old, new))

    assert says in str(caught.value)
    assert str(tmp_path / "mine.yml") in str(caught.value)


def test_two_faults_of_one_cloud_at_once(tmp_path: Path) -> None:
    """They would heal each other."""
    second = "  - {at_s: 3, fault: hang, cloud: gcp, for_s: 1}\ngoals:"

    with pytest.raises(ScenarioError, match="a cloud has one fault at a time"):
        read(tmp_path, GOOD.replace("goals:", second))


def test_unknown_name() -> None:
    """The names that there are, are listed."""
    with pytest.raises(ScenarioError, match="functions-dead"):
        find_scenario("function-dead")
