"""`sls … --cloud azure` against a fake Azure. Its answers and our requests are judged by Microsoft's own libraries."""

import json
import re
from collections.abc import Iterator

import pytest

from handlers.peers.settings import read_peer_settings
from handlers.settings import read_settings
from providers.azure.account import read_account
from tests.deploy.azure import judges
from tests.deploy.azure.deployed import Deployed, changing
from tests.deploy.azure.resource_manager import type_of
from tests.deploy.azure.server import ARM, FakeAzure
from tests.deploy.azure.state import OPERATOR, SUBSCRIPTION
from tests.deploy.azure.surroundings import ROOT, make_project
from tests.dns.fake_arm import write_certificate

_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/sluice-dev"

# Every role, at the narrowest place that Azure allows.
_ROLES = """
functions  Storage Blob Data Owner           storageaccounts/*host
functions  Storage Blob Data Contributor     containers/uploads
functions  Storage Blob Delegator            storageaccounts/*data
functions  Storage Queue Data Contributor    queues/work
functions  Storage Queue Data Contributor    queues/work-poison
functions  Storage Queue Data Contributor    queues/parked
functions  Storage Table Data Contributor    tables/ledger
functions  Storage Table Data Contributor    tables/control
functions  Key Vault Secrets User            vaults/*
functions  Monitoring Metrics Publisher      components/sluice-dev-insights
events     Storage Queue Data Message Sender queues/work
events     Storage Blob Data Contributor     containers/deadletters
deployer   Key Vault Secrets Officer         vaults/*
deployer   Storage Blob Data Contributor     storageaccounts/*data
deployer   Storage Queue Data Contributor    storageaccounts/*data
deployer   Storage Table Data Contributor    storageaccounts/*data
"""

_PLACES = {"SLUICE_BUCKET": "containers", "SLUICE_LEDGER_TABLE": "tables", "SLUICE_CONTROL_TABLE": "tables"}
_PLACES |= {"SLUICE_WORK_QUEUE": "queues", "SLUICE_PARKED_QUEUE": "queues"}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Plan and deploy once into an empty subscription."""
    folder = tmp_path_factory.mktemp("azure")
    write_certificate(folder / "certificate.pem")
    azure = FakeAzure(folder / "certificate.pem")
    project = make_project(folder, control_plane=azure.url)
    planned = project.sls("deploy", "--plan")
    plan_count = len(azure.world.requests)
    run = project.sls("deploy")
    requests = list(azure.world.requests)
    assert run.status == 0, run.stdout + run.stderr
    yield Deployed(
        azure=azure,
        project=project,
        planned=planned,
        run=run,
        plan_requests=requests[:plan_count],
        requests=requests[plan_count:],
    )
    azure.close()


def test_plan_says_what_a_deployment_does(deployed: Deployed) -> None:
    """The plan changes nothing, and names exactly the steps that the deployment then takes."""
    assert changing(deployed.plan_requests) == []
    steps = re.findall(r"^would (?:create|update) (.*?)(?:: .*)?$", deployed.planned.stdout, re.MULTILINE)
    done = re.findall(r"^(?:created|updated) (.*?)(?:: .*)?$", deployed.run.stderr, re.MULTILINE)
    assert steps == done
    assert f"{len(steps)} of {len(steps)} changed" in deployed.run.stderr


def test_second_deployment_changes_nothing(deployed: Deployed) -> None:
    """Neither a resource nor the code is sent again."""
    run, changes = deployed.changes_of("deploy")

    assert (run.status, changes) == (0, [])
    assert re.search(r"nothing changed: all \d+ stand as declared", run.stderr)
    assert len(deployed.azure.world.packages) == 1


def test_bodies_fit_microsofts_models(deployed: Deployed) -> None:
    """Every body of the judged types has known fields only, with values that the models have."""
    sent = [one for one in deployed.requests if one.method == "PUT" and one.host == ARM]

    judged = [
        (type_of(one.path), list(judges.complaints(model, one.body))) for one in sent if (model := judges.model_of(one))
    ]

    assert {kind for kind, _ in judged} == set(judges.MODELS)
    assert [told for _, told in judged if told] == []
    unjudged = {type_of(one.path) for one in sent if judges.model_of(one) is None}
    assert unjudged == {
        "Microsoft.Resources/resourceGroups",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.OperationalInsights/workspaces",
        "Microsoft.Insights/components",
        "Microsoft.KeyVault/vaults",
    }


def test_microsofts_clients_read_it(deployed: Deployed) -> None:
    """The clients for Node read what stands, and make and remove the same kinds of things in the fake."""
    names = {
        "data": deployed.one("storageaccounts/[a-z0-9]+data")["name"],
        "site": deployed.one("/sites/[^/]+")["name"],
        "plan": "sluice-dev-plan",
        "topic": "sluice-dev-uploads",
    }

    told = judges.ask_clients(deployed.azure, group="sluice-dev", names=names)

    read = told["read"]
    assert read["group"] == {"service": "sluice", "stage": "dev"}
    assert (read["account"]["allowSharedKeyAccess"], read["account"]["allowBlobPublicAccess"]) == (False, False)
    assert read["protection"]["isVersioningEnabled"]
    assert read["plan"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert read["site"]["functionAppConfig"]["runtime"] == {"name": "python", "version": "3.13"}
    assert read["site"]["functionAppConfig"]["scaleAndConcurrency"]["maximumInstanceCount"] == 5
    assert read["delivery"]["queueName"] == "work"
    assert told["madeStates"] == ["Succeeded"] * 4


def test_roles_are_the_least(deployed: Deployed) -> None:
    """Who may do what, and where: nothing beside this table."""
    principals = {
        OPERATOR: "deployer",
        deployed.one("/userassignedidentities/[^/]+")["properties"]["principalId"]: "functions",
        deployed.one("/systemtopics/[^/]+")["identity"]["principalId"]: "events",
    }
    ids = dict(re.findall(r"'([^']+)': '([0-9a-f-]{36})'", (ROOT / "plugins/azure/roles.js").read_text()))
    role_names = {role_id: name for name, role_id in ids.items()}

    found = [
        (principals[given["principalId"]], role_names[given["roleDefinitionId"].rpartition("/")[2]], given["scope"])
        for one in deployed.azure.world.resources.values()
        if one["type"] == "Microsoft.Authorization/roleAssignments"
        for given in [one["properties"]]
    ]

    expected = [re.split(r"\s{2,}|(?<=r) (?=queues)", line) for line in _ROLES.strip().splitlines()]
    assert len(found) == len(expected)
    for whom, role, place in expected:
        pattern = place.replace("*", "[a-z0-9-]+") + "$"
        assert [one for one in found if one[:2] == (whom, role) and re.search(pattern, one[2])], (whom, role, place)


def test_settings_are_references(deployed: Deployed) -> None:
    """The functions find everything by name and identity; there is no key among their settings."""
    [settings] = deployed.azure.world.settings.values()

    identity = deployed.one("/userassignedidentities/[^/]+")["properties"]["clientId"]
    assert settings["SLUICE_STORAGE__clientId"] == settings["AzureWebJobsStorage__clientId"] == identity
    assert settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] == f"ClientId={identity};Authorization=AAD"
    assert {
        name: settings[name] for name in ("SLUICE_BUCKET", "SLUICE_WORK_QUEUE", "SLUICE_ORDER", "SLUICE_COPIES")
    } == {
        "SLUICE_BUCKET": "uploads",
        "SLUICE_WORK_QUEUE": "work",
        "SLUICE_ORDER": "azure",
        "SLUICE_COPIES": "1",
    }
    assert "" not in settings.values()
    assert not [name for name, value in settings.items() if "AccountKey" in value or "SharedAccess" in value]


def test_functions_understand_their_settings(deployed: Deployed) -> None:
    """Our own code reads them without a complaint, and what they name stands."""
    [settings] = deployed.azure.world.settings.values()
    machine = {"IDENTITY_ENDPOINT": "http://127.0.0.1:1/token"}

    account = read_account({**settings, **machine}, setting="SLUICE_STORAGE")
    read, peers = read_settings(settings), read_peer_settings(settings)

    assert (read.cloud, read.timeout_s, peers.order, peers.is_open) == ("azure", 60, ("azure",), False)
    for name, kind in _PLACES.items():
        assert deployed.one(f"/{account.name}/.*/{kind}/{settings[name]}")
    code = "".join(path.read_text() for path in (*ROOT.glob("handlers/**/*.py"), *ROOT.glob("providers/azure/*.py")))
    ours = {name for name in settings if name.startswith("SLUICE_") and "__" not in name}
    assert {name for name in ours if f'"{name}"' not in code} == set()


def test_changed_parameter_changes_one_thing(deployed: Deployed) -> None:
    """Only the settings are sent, also by `deploy function`; what others put beside ours stays."""
    [app] = deployed.azure.world.settings
    deployed.azure.world.settings[app]["BY_THE_PORTAL"] = "stays"

    run, [change] = deployed.changes_of("deploy", "--param", "attempt_count=7")
    back, [change_back] = deployed.changes_of("deploy", "function", "-f", "process")

    assert (run.status, back.status) == (0, 0), back.stdout + back.stderr
    assert "updated settings of the functions: SLUICE_ATTEMPT_COUNT\n" in run.stderr
    assert change.path.endswith("/config/appsettings")
    assert (change.body["properties"]["SLUICE_ATTEMPT_COUNT"], change.body["properties"]["BY_THE_PORTAL"]) == (
        "7",
        "stays",
    )
    assert change_back.body["properties"]["SLUICE_ATTEMPT_COUNT"] == "5"


def test_secret_is_a_reference_to_what_is_there(deployed: Deployed) -> None:
    """A secret that is missing is told before the functions get its name as its value."""
    vault = deployed.one("/vaults/[^/]+")["name"]
    secret = ("--param", "peer_keys_secret=peer-keys")
    refused, changes = deployed.changes_of("deploy", *secret)
    deployed.azure.world.secrets[(vault, "peer-keys")] = ["the value itself"]

    run, [change] = deployed.changes_of("deploy", *secret)
    deployed.azure.world.secrets[(vault, "peer-keys")].append("another value")
    renewed = deployed.project.sls("deploy", "--plan", *secret)

    assert (refused.status, changes) == (1, [])
    assert f'Vault {vault} has no secret "peer-keys": put it there' in refused.stdout
    assert run.status == 0
    url = f"https://{vault}.vault.azure.net/secrets/peer-keys/1"
    assert change.body["properties"]["SLUICE_PEER_KEYS"] == f"@Microsoft.KeyVault(SecretUri={url})"
    assert "the value itself" not in run.stdout + run.stderr
    assert "would update settings of the functions: SLUICE_PEER_KEYS\n" in renewed.stdout


def test_others_get_to_know_it(deployed: Deployed) -> None:
    """Its address is as the other clouds are told it, and the keys that all share go into its vault, once."""
    keys = json.dumps({"current": "k", "keys": {"k": "ab" * 32}})

    address = deployed.project.sls("address", "--json")
    stored = [deployed.project.sls("peer-keys", "--set", stdin=keys) for _ in range(2)]
    reference = deployed.project.sls("peer-keys", "--reference")

    site, data = deployed.one("/sites/[^/]+")["name"], deployed.one("storageaccounts/[a-z0-9]+data")["name"]
    assert json.loads(address.stdout) == {
        "url": f"https://{site}.azurewebsites.net",
        "origins": [f"https://{data}.blob.core.windows.net"],
    }
    assert [run.status for run in stored] == [0, 0], stored[0].stdout
    [version] = deployed.azure.world.secrets[(deployed.one("/vaults/[^/]+")["name"], "sluice-dev-peer-keys")]
    assert json.loads(version) == json.loads(keys)
    assert "abab" not in "".join(run.stdout + run.stderr for run in stored)
    assert reference.stdout.strip() == "peer_keys_secret=sluice-dev-peer-keys"


def test_plain_deployment_does_not_cut_it_off(deployed: Deployed) -> None:
    """Among others, a deployment without peers is refused, and a plan warns; on purpose it goes ahead."""
    peers = json.dumps({"aws": {"url": "https://x.example", "origins": []}})
    deployed.project.sls("deploy", "--param", "order=aws,azure", "--param", f"peers={peers}")

    plain, changes = deployed.changes_of("deploy")
    of_function, changes_of_function = deployed.changes_of("deploy", "function", "-f", "process")
    planned = deployed.project.sls("deploy", "--plan")
    alone, [change] = deployed.changes_of("deploy", "--param", "alone=true")

    line = (
        'azure would be cut off from aws, because "peers" is empty. Together: npx sls clouds deploy --only aws,azure '
    )
    assert [(run.status, f"\n{line}" in run.stdout) for run in (plain, of_function)] == [(1, True)] * 2
    assert changes + changes_of_function == []
    assert (planned.status, f"\nwarning: {line}" in planned.stdout) == (0, True)
    assert alone.status == 0, alone.stdout
    assert (change.body["properties"]["SLUICE_ORDER"], "SLUICE_PEERS" in change.body["properties"]) == ("azure", False)


def test_calls_and_logs(deployed: Deployed) -> None:
    """The API answers whatever it answers; `process` is started with each message; logs come in order."""
    asked = {"method": "POST", "path": "/v1/x", "headers": {"content-type": "application/json"}, "body": '{"a": 1}'}
    delivery = {"messages": [{"id": "1", "body": "one"}, {"id": "2", "body": "two"}]}

    api = deployed.project.sls("invoke", "-f", "api", "-d", json.dumps(asked))
    process = deployed.project.sls("invoke", "-f", "process", "-d", json.dumps(delivery))
    logs = deployed.project.sls("logs", "-f", "process", "--startTime", "2h")

    answer = json.loads(api.stdout)
    assert (answer["status"], answer["headers"]["x-from"]) == (404, "the app")
    assert json.loads(answer["body"]) == {"asked": "POST /v1/x", "body": {"a": 1}}
    assert json.loads(process.stdout)["started"] == 2
    assert deployed.azure.world.runs == [("process", "one"), ("process", "two")]
    lines = ['2026-11-25T03:00:01Z {"event": "first"}', "2026-11-25T03:00:02Z second line"]
    assert logs.stdout.strip().splitlines() == lines


def test_removed_vault_is_taken_back(deployed: Deployed) -> None:
    """A vault lingers under its name after it was removed; a deployment recovers it, with its roles."""
    world = deployed.azure.world
    [key] = [key for key in world.resources if re.search("/vaults/[^/]+$", key)]
    world.drop(key)

    run, changes = deployed.changes_of("deploy")

    assert run.status == 0, run.stdout
    assert "removed, and to be taken back" in run.stderr
    assert [one.body["properties"].get("createMode") for one in changes if type_of(one.path).endswith("/vaults")] == [
        "recover",
        None,
    ]
    assert key in world.resources
    assert world.lingering == {}


def test_removal(deployed: Deployed) -> None:
    """It refuses while files stand, removes all with --force, and leaves what is not ours."""
    world, data = deployed.azure.world, deployed.one("storageaccounts/[a-z0-9]+data")["name"]
    world.files[(data, "uploads")] = [".sluice/probe", "a.txt"]
    foreign = f"{_GROUP}/providers/microsoft.network/dnszones/mine"
    world.resources[foreign] = {"id": foreign, "name": "mine", "type": "Microsoft.Network/dnsZones", "properties": {}}

    refused, changes = deployed.changes_of("remove")
    stopped = deployed.project.sls("remove", "--force")
    left = set(world.resources)
    del world.resources[foreign]
    finished = deployed.project.sls("remove")

    assert (refused.status, changes) == (1, [])
    assert f"storage account {data}: it holds files (container uploads). With --force" in refused.stdout
    assert stopped.status == 1
    assert (
        "resource group sluice-dev stays, because it holds what is not ours: mine (Microsoft.Network/dnsZones)"
        in stopped.stdout
    )
    assert left == {foreign, _GROUP}
    assert (finished.status, world.resources, world.lingering) == (0, {}, {})
