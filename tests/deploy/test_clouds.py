"""`sls clouds deploy` into an emulated AWS, a fake Azure and a fake Google, all empty: then they know each other."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drills.aws.clients import CREDENTIALS, REGION, aws_client
from drills.aws.ministack import Ministack
from handlers.peers.settings import PeerSettings, read_peer_settings
from tests.deploy.azure.server import FakeAzure
from tests.deploy.azure.state import SUBSCRIPTION
from tests.deploy.azure.surroundings import ROOT, make_project
from tests.deploy.by_host import serve_by_host
from tests.deploy.google_compute_storage import GoogleProject
from tests.deploy.google_world import IN_PROJECT, IN_REGION, World, world_of

pytestmark = pytest.mark.timeout(400)

DEPLOY_TIMEOUT_S = 380
ORDER = ("gcp", "aws", "azure")  # not the default
SECRET = "sluice-dev-peer-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """All clouds after one command.

    Attributes:
        printed: All that it printed.
        settings: The variables of each cloud's functions; keys by reference where the cloud itself puts them in place.
        keys: What each cloud's secret store holds.
    """

    printed: str
    settings: dict[str, dict[str, str]]
    keys: dict[str, str]

    def peer_settings(self, cloud: str) -> PeerSettings:
        """As the functions of a cloud read them, with the keys that stand in its secret store."""
        return read_peer_settings(self.settings[cloud] | {"SLUICE_PEER_KEYS": self.keys[cloud]})


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Deploy all, once."""
    with ExitStack() as stack:
        emulator = stack.enter_context(Ministack(tmp_path_factory.mktemp("ministack")))
        google = stack.enter_context(world_of(GoogleProject()))
        azure = FakeAzure()
        stack.callback(azure.close)
        fakes = {True: google.plane.url, False: azure.url}
        control_plane = stack.enter_context(
            serve_by_host(lambda host: fakes[host.endswith((".googleapis.com", ".run.app"))])
        )
        printed = _deploy(
            tmp_path_factory.mktemp("clouds"),
            {
                "SLUICE_CONTROL_PLANE": control_plane,
                "AWS_ENDPOINT_URL": emulator.endpoint_url,
                "AWS_REGION": REGION,
                **CREDENTIALS,
                "GOOGLE_CLOUD_PROJECT": "my-project",
                "GOOGLE_APPLICATION_CREDENTIALS": str(google.credentials),
                "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
                "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
            },
        )
        found = {"aws": _of_aws(emulator), "gcp": _of_google(google), "azure": _of_azure(azure)}
        settings = {cloud: settings for cloud, (settings, _) in found.items()}
        yield Deployed(printed=printed, settings=settings, keys={cloud: keys for cloud, (_, keys) in found.items()})


def _deploy(folder: Path, environment: dict[str, str]) -> str:
    """Run the command in a copy of the project; gives all that it printed."""
    project = make_project(folder, control_plane="")
    own = {"PATH": f"{project.home}{os.pathsep}{os.environ['PATH']}", "HOME": str(project.home)}
    polls = {"SLS_AWS_MONITORING_FREQUENCY": os.environ["SLS_AWS_MONITORING_FREQUENCY"]}
    done = subprocess.run(
        ["node", str(ROOT / "node_modules/osls/bin/serverless.js"), "clouds", "deploy", f"--only={','.join(ORDER)}"],
        cwd=project.folder,
        env={**own, **polls, **environment},
        capture_output=True,
        text=True,
        timeout=DEPLOY_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _of_aws(emulator: Ministack) -> tuple[dict[str, str], str]:
    """Settings and keys."""
    store: Any = "secretsmanager"
    function = aws_client("lambda", endpoint_url=emulator.endpoint_url).get_function(FunctionName="sluice-dev-api")
    secret = aws_client(store, endpoint_url=emulator.endpoint_url).get_secret_value(SecretId=SECRET)
    return function["Configuration"]["Environment"]["Variables"], secret["SecretString"]


def _of_google(google: World) -> tuple[dict[str, str], str]:
    config = google.services.things[f"{IN_REGION}/functions/sluice-dev-api"]["serviceConfig"]
    [reference] = config["secretEnvironmentVariables"]
    settings = config["environmentVariables"] | {reference["key"]: f"{reference['secret']}/{reference['version']}"}
    return settings, google.services.packages[f"{IN_PROJECT}/secrets/{SECRET}/versions/{reference['version']}"].decode()


def _of_azure(azure: FakeAzure) -> tuple[dict[str, str], str]:
    put = [one for one in azure.world.requests if one.method == "PUT" and one.path.endswith("/config/appsettings")]
    [versions] = azure.world.secrets.values()
    return dict(put[-1].body["properties"]), versions[-1]


def test_all_are_deployed(deployed: Deployed) -> None:
    """The command ends with a table that has each cloud, in the order that was asked for."""
    assert "cloud  result    reason\ngcp    deployed\naws    deployed\nazure  deployed\n" in deployed.printed


@pytest.mark.parametrize("cloud", ORDER)
def test_settings_name_the_others(deployed: Deployed, cloud: str) -> None:
    """Each cloud's functions accept their settings, and know where the API and the storage of each other are."""
    settings = deployed.peer_settings(cloud)

    bucket = f"sluice-dev-uploads-000000000000-{REGION}"
    expected = {
        "aws": (f".execute-api.{REGION}.amazonaws.com", f"https://{bucket}.s3.{REGION}.amazonaws.com"),
        "gcp": (".a.run.app", "https://storage.googleapis.com"),
        "azure": (".azurewebsites.net", ".blob.core.windows.net"),
    }
    assert settings.order == ORDER
    assert set(settings.peers) == set(ORDER) - {cloud}
    for name, peer in settings.peers.items():
        api, storage = expected[name]
        assert peer.url.endswith(api)
        assert peer.origins[-1].endswith(storage)


def test_all_hold_the_same_keys(deployed: Deployed) -> None:
    """The keys that were made stand in all secret stores; AWS resolved them, the others have references."""
    assert len(set(deployed.keys.values())) == 1
    assert deployed.settings["aws"]["SLUICE_PEER_KEYS"] == deployed.keys["aws"]
    assert deployed.settings["azure"]["SLUICE_PEER_KEYS"].startswith("@Microsoft.KeyVault(")
    assert deployed.settings["gcp"]["SLUICE_PEER_KEYS"] == f"{SECRET}/1"


def test_keys_are_not_printed(deployed: Deployed) -> None:
    """No line that the command printed has a key in it."""
    [key] = json.loads(deployed.keys["aws"])["keys"].values()

    assert key not in deployed.printed
