"""`sls … --cloud azure` where something is missing or goes wrong, against a fake Azure."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.azure.deployed import changing
from tests.deploy.azure.server import FakeAzure
from tests.deploy.azure.state import SUBSCRIPTION, Fault
from tests.deploy.azure.surroundings import Project, make_project

_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/sluice-dev"
_ROLE_COUNT = 16

# What goes wrong, run after run, and the one line that is told.
_BROKEN = [
    (
        Fault(method="PUT", path="/serverfarms/", kind="quota", count=2),
        r"\(401 SubscriptionIsOverQuotaForSku\): .*\. Ask for a larger quota, or take another region",
    ),
    (
        Fault(method="PUT", path="/sites/", kind="failed"),
        r"Azure gave up on sites/\S+ \(InternalServerError\): The backend is out of order\.",
    ),
    (
        Fault(method="PUT", path="/config/appsettings", kind="conflict"),
        r"\(409 Conflict\): .*\. Something else is changing it: deploy again",
    ),
    (
        Fault(method="POST", path="/api/publish", kind="cut"),
        r"^Azure does not answer at \S+\.scm\.azurewebsites\.net: .+\.$",
    ),
    (
        Fault(method="POST", path="/api/publish", kind="failed"),
        r"The package failed: pip: no matching distribution found\. Its log: https://",
    ),
    (
        Fault(method="PUT", path="/eventSubscriptions/", kind="denied"),
        r"\(403 AuthorizationFailed\): .* authorization to do this\. docs/deploy/azure\.md says",
    ),
]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[tuple[FakeAzure, Project]]:
    """An empty subscription."""
    azure = FakeAzure()
    yield azure, make_project(tmp_path, control_plane=azure.url)
    azure.close()


def test_broken_off_deployment_is_finished_by_the_next(empty: tuple[FakeAzure, Project]) -> None:
    """Each run gets further than the one before, and tells in one line why it stopped; the last one finishes."""
    azure, project = empty
    reached: list[int] = []
    for fault, line in _BROKEN:
        azure.world.faults = [fault]

        run = project.sls("deploy")

        assert run.status == 1, run.stdout
        [told] = [text for text in run.stdout.splitlines() if text and text != "Error:"]
        assert re.search(line, told), told
        reached.append(len(azure.world.resources))
    azure.world.faults = [
        Fault(method="GET", path="/storageAccounts/", kind="busy"),
        Fault(method="GET", path="/vaults/", kind="expired"),
        Fault(method="PUT", path="/eventSubscriptions/", kind="cut"),
    ]
    last = project.sls("deploy")

    assert (last.status, azure.world.faults) == (0, []), last.stdout
    assert reached == sorted(reached)
    kinds = Counter(found["type"] for found in azure.world.resources.values())
    assert (kinds["Microsoft.Web/sites"], kinds["Microsoft.Authorization/roleAssignments"]) == (1, _ROLE_COUNT)
    assert len(azure.world.packages) == 2  # the one that failed, and the one that stands
    assert "created subscription of queue work" in last.stderr


def test_what_is_not_ours_is_not_touched(empty: tuple[FakeAzure, Project]) -> None:
    """A resource group of that name without our tags is left alone, by a deployment and by a removal."""
    azure, project = empty
    body = {"id": _GROUP, "name": "sluice-dev", "type": "Microsoft.Resources/resourceGroups", "location": "westeurope"}
    azure.world.resources[_GROUP] = {**body, "properties": {}}

    for command in (("deploy", "--plan"), ("remove", "--force")):
        run = project.sls(*command)

        assert run.status == 1
        assert (
            "resource group sluice-dev exists, and is not ours: it lacks the tag service=sluice, stage=dev."
            in run.stdout
        )
    assert changing(azure.world.requests) == []


def test_who_is_not_known_is_told(empty: tuple[FakeAzure, Project]) -> None:
    """Without a subscription, a login or a deployment, one line says what to do."""
    _, project = empty

    nowhere = project.sls("info", AZURE_SUBSCRIPTION_ID="")
    nothing = project.sls("info")
    address = project.sls("address", "--json")
    (project.home / "az").write_text("#!/bin/sh\necho 'Please run az login' >&2\nexit 1\n")
    nobody = project.sls("info")

    assert 'provider.subscription is empty: set AZURE_SUBSCRIPTION_ID ("az account show' in nowhere.stdout
    assert "No app sluice-dev-" in nothing.stdout
    assert "npx sls deploy --cloud azure --stage dev." in nothing.stdout
    assert (address.status, address.stdout.strip()) == (0, "null")
    assert re.search(r"Azure knows nobody here: .*\. Run \"az login\"", nobody.stdout)
    assert (nowhere.status, nothing.status, nobody.status) == (1, 1, 1)


def test_operators_commands_reach_what_is_deployed(empty: tuple[FakeAzure, Project]) -> None:
    """`--deployed` gives the operator's commands the places, and the operator's own token for storage."""
    _, project = empty
    (project.folder / ".venv").unlink()
    python = project.folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nenv | grep ^SLUICE_ | sort\necho "$@"\n')
    python.chmod(0o755)

    run = project.sls("ledger", "--deployed")

    found = dict(line.split("=", 1) for line in run.stdout.splitlines() if line.startswith("SLUICE_"))
    assert found["SLUICE_LOCAL_DIR"] == ""
    assert (found["SLUICE_BUCKET"], found["SLUICE_LEDGER_TABLE"]) == ("uploads", "ledger")
    assert re.fullmatch("sluicedev[0-9a-f]{8}data", found["SLUICE_STORAGE__accountName"])
    assert found["SLUICE_STORAGE__token"].startswith("e30.")
    assert "handlers.cli ledger" in run.stdout
