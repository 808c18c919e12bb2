"""Drills on clouds that are already up: what is refused, what is shown before, and what is read of them.

The clouds are in memory, behind their real API over HTTP; nothing here ever ran against a live account.
"""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.record import Record, State
from core.upload import Upload
from drills.failover.__main__ import main
from drills.failover.deployed import Access, deployed_scene
from drills.failover.scenario import Road
from drills.failover.scenario_file import find_scenario
from drills.failover.scene import LookFailedError
from drills.failover.targets import fit_to_deployed
from handlers.failover.clouds import find_clouds
from handlers.failover.command import main as operator
from tests.e2e.three_apis import API_KEY, Apis, three_apis
from tests.unit.api_in_memory import KEYS
from tests.unit.sites_in_memory import ORDER


@pytest.fixture
def apis() -> Iterator[Apis]:
    with three_apis() as started:
        started.clouds.now_ms = time.time_ns() // 1_000_000
        yield started


@pytest.fixture
def peers_file(apis: Apis, tmp_path: Path) -> Path:
    keys = {"current": KEYS.current, "keys": {name: secret.hex() for name, secret in KEYS.secrets.items()}}
    path = tmp_path / "peers.json"
    path.write_text(
        json.dumps({"peers": {c: {"url": url} for c, url in apis.urls.items()}, "keys": keys, "api_key": API_KEY})
    )
    return path


def deployed(*arguments: str, peers_file: Path) -> int:
    return main([*arguments, "--target", "deployed", "--peers", str(peers_file)])


def test_plan_comes_first_and_nothing_is_changed(
    apis: Apis, peers_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --yes the plan is all that there is: clouds, load, roads that are skipped, and each change."""
    status = deployed("planned-switch", peers_file=peers_file)

    said = capsys.readouterr().err
    assert status == 1
    assert f"aws: {apis.urls['aws']}" in said
    assert "files of up to 10,000 bytes are uploaded in 170 s, by api, presigned" in said
    assert "Skipped: the bucket of gcp: no --bucket names one" in said
    assert "operator, at 0 s: switch gcp" in said
    assert "Nothing was changed: --yes goes ahead." in said
    assert {seen.what for seen in apis.seen} == {"GET /v1/health"}


@pytest.mark.parametrize(
    ("name", "why"), [("partition", "cut-off"), ("cloud-outage", "outage"), ("soak", "functions-dead on azure")]
)
def test_fault_that_cannot_be_made(peers_file: Path, capsys: pytest.CaptureFixture[str], name: str, why: str) -> None:
    """It is refused in one line, which lists what can be played."""
    status = deployed(name, peers_file=peers_file)

    (line,) = capsys.readouterr().err.splitlines()
    assert status == 2
    assert f"{name} needs " in line
    assert (
        "which cannot be made on deployed clouds; what can be played there: "
        "concurrency-0, functions-dead, invoker-revoked, permission-revoked, planned-switch"
    ) in line
    assert why in line or name == "soak"


def test_local_clouds_know_no_permissions(capsys: pytest.CaptureFixture[str]) -> None:
    """So one of our scenarios is refused there, before anything starts."""
    assert main(["permission-revoked"]) == 2
    assert "cannot be made on local clouds" in capsys.readouterr().err


def test_clouds_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no default: nobody breaks clouds by chance."""
    assert main(["planned-switch", "--target", "deployed"]) == 2
    assert "needs --peers FILE" in capsys.readouterr().err


def test_ailing_cloud(apis: Apis, peers_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A drill on clouds that are not well would prove nothing and might harm."""
    apis.fault = lambda seen: "drop" if seen.cloud == "azure" else None

    status = deployed("planned-switch", "--yes", peers_file=peers_file)

    assert status == 1
    assert "a drill begins when all clouds are well: azure cannot be asked" in capsys.readouterr().err
    assert not [what for what in apis.whats("aws") if what.startswith("POST")]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (["pin"], "the route is pinned or held"),
        (["hold", "--for-s", "60"], "the route is pinned or held"),
        (["switch", "--to", "gcp"], "gcp is active; a drill begins when aws, the preferred one, is"),
    ],
)
def test_route_that_somebody_holds(
    apis: Apis, peers_file: Path, capsys: pytest.CaptureFixture[str], change: list[str], why: str
) -> None:
    """Somebody is at work there, so the drill leaves it alone."""
    assert operator([*change, "--yes", "--peers", str(peers_file)]) == 0

    status = deployed("planned-switch", "--yes", peers_file=peers_file)

    assert status == 1
    assert why in capsys.readouterr().err
    assert not [what for what in apis.whats("aws") if what.startswith("POST")]


def test_only_own_files_are_read(apis: Apis, peers_file: Path) -> None:
    """Ledgers of deployed clouds hold other people's uploads; the drill's own are known by the run's number."""
    scenario = fit_to_deployed(find_scenario("planned-switch"), ORDER, seed=4711, slower=1)
    scene = deployed_scene(scenario, find_clouds({}, path=str(peers_file)), Access(peers_file=peers_file))
    for key in ("somebody's.txt", "u/x/api-4711-00001.bin", "drill/0/bucket-4711-00001.bin", "api-4712-00001.bin"):
        upload = Upload(
            upload_id=str(uuid.uuid5(uuid.NAMESPACE_URL, key)), cloud="aws", bucket="b", key=key, version="1"
        )
        record = Record(upload=upload, state=State.RECORDED, recorded_at_ms=1, recorded_by="aws", sha256="ab" * 32)
        apis.clouds.sites["aws"].absorb([record])

    rows = scene.read_ledgers()

    assert {row["key"] for row in rows["aws"]} == {"u/x/api-4711-00001.bin", "drill/0/bucket-4711-00001.bin"}
    assert {row["state"] for row in rows["aws"]} == {"recorded"}


def test_ledger_that_cannot_be_read(apis: Apis, peers_file: Path) -> None:
    """It is an error, not an empty ledger."""
    scenario = fit_to_deployed(find_scenario("planned-switch"), ORDER, seed=1, slower=1)
    scene = deployed_scene(scenario, find_clouds({}, path=str(peers_file)), Access(peers_file=peers_file))
    apis.fault = lambda seen: "drop" if seen.what == "GET /v1/records" else None

    with pytest.raises(LookFailedError, match="no answer"):
        scene.read_ledgers()


def test_route_and_vote_of_a_cloud(apis: Apis, peers_file: Path) -> None:
    """As a local drill reads them past the API."""
    scenario = fit_to_deployed(find_scenario("planned-switch"), ORDER, seed=1, slower=1)
    scene = deployed_scene(scenario, find_clouds({}, path=str(peers_file)), Access(peers_file=peers_file))
    apis.clouds.watches["gcp"].run_round()

    route, vote = scene.looks["gcp"]()

    assert route is not None
    assert vote is not None
    assert (route.active, route.epoch, route.is_pinned) == ("aws", 0, False)
    assert set(vote.seen) == set(ORDER)


def test_scenario_fitted_to_deployed_clouds() -> None:
    """It is slower, has the clouds' own order, and no goal that is about the local clouds' short waits."""
    fitted = fit_to_deployed(find_scenario("functions-dead"), ("aws", "azure", "gcp"), seed=9, slower=5)

    assert fitted.clouds == ("aws", "azure", "gcp")
    assert (fitted.faults[0].for_s, fitted.durations.before_s, fitted.seed) == (125, 50, 9)
    assert fitted.goals == {"error_share": 0}
    assert Road.API in fitted.load
