"""`sls clouds deploy` into an emulated AWS and a fake Azure, both empty: afterwards they know each other."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from drills.aws.clients import CREDENTIALS, REGION, aws_client
from drills.aws.ministack import Ministack
from handlers.peers.settings import PeerSettings, read_peer_settings
from tests.deploy.azure.server import FakeAzure
from tests.deploy.azure.state import SUBSCRIPTION
from tests.deploy.azure.surroundings import ROOT, make_project

pytestmark = pytest.mark.timeout(300)

DEPLOY_TIMEOUT_S = 280


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """Both clouds after one command.

    Attributes:
        printed: All that it printed.
        settings: The variables of each cloud's functions.
        keys: What each cloud's secret store holds.
    """

    printed: str
    settings: dict[str, dict[str, str]]
    keys: dict[str, str]

    def peer_settings(self, cloud: str) -> PeerSettings:
        """As the functions of a cloud read them, with the keys that the cloud puts in place of its reference."""
        return read_peer_settings(self.settings[cloud] | {"SLUICE_PEER_KEYS": self.keys[cloud]})


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Deploy both, once."""
    azure = FakeAzure()
    project = make_project(tmp_path_factory.mktemp("clouds"), control_plane=azure.url)
    with Ministack(tmp_path_factory.mktemp("ministack")) as emulator:
        done = subprocess.run(
            ["node", str(ROOT / "node_modules/osls/bin/serverless.js"), "clouds", "deploy", "--only", "azure,aws"],
            cwd=project.folder,
            env={
                "PATH": f"{project.home}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(project.home),
                "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
                "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
                "SLUICE_CONTROL_PLANE": azure.url,
                "AWS_ENDPOINT_URL": emulator.endpoint_url,
                "AWS_REGION": REGION,
                **CREDENTIALS,
            },
            capture_output=True,
            text=True,
            timeout=DEPLOY_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        store: Any = "secretsmanager"
        secrets = aws_client(store, endpoint_url=emulator.endpoint_url)
        functions = aws_client("lambda", endpoint_url=emulator.endpoint_url)
        [azures_keys] = azure.world.secrets.values()
        yield Deployed(
            printed=done.stdout + done.stderr,
            settings={
                "aws": functions.get_function(FunctionName="sluice-dev-api")["Configuration"]["Environment"][
                    "Variables"
                ],
                "azure": _app_settings(azure),
            },
            keys={
                "aws": secrets.get_secret_value(SecretId="sluice-dev-peer-keys")["SecretString"],
                "azure": azures_keys[-1],
            },
        )
    azure.close()


def _app_settings(azure: FakeAzure) -> dict[str, str]:
    """What was last put."""
    put = [one for one in azure.world.requests if one.method == "PUT" and one.path.endswith("/config/appsettings")]
    return dict(put[-1].body["properties"])


def test_both_are_deployed(deployed: Deployed) -> None:
    """The command ends with a table that has each cloud, in the order that was asked for."""
    assert "cloud  result    reason\nazure  deployed\naws    deployed\n" in deployed.printed


def test_each_knows_where_the_other_is(deployed: Deployed) -> None:
    """Each cloud's settings are accepted as they are, and name the other's API and storage."""
    of_aws, of_azure = deployed.peer_settings("aws"), deployed.peer_settings("azure")

    assert of_aws.order == of_azure.order == ("azure", "aws")
    assert of_aws.peers["azure"].url.endswith(".azurewebsites.net")
    assert [origin.endswith(".blob.core.windows.net") for origin in of_aws.peers["azure"].origins] == [True]
    assert of_azure.peers["aws"].url.endswith(f".execute-api.{REGION}.amazonaws.com")
    assert f"https://sluice-dev-uploads-000000000000-{REGION}.s3.amazonaws.com" in of_azure.peers["aws"].origins


def test_both_hold_the_same_keys(deployed: Deployed) -> None:
    """The keys that were made stand in both secret stores; AWS resolved them, Azure has a reference."""
    assert deployed.keys["aws"] == deployed.keys["azure"]
    assert deployed.settings["aws"]["SLUICE_PEER_KEYS"] == deployed.keys["aws"]
    assert deployed.settings["azure"]["SLUICE_PEER_KEYS"].startswith("@Microsoft.KeyVault(")


def test_keys_are_not_printed(deployed: Deployed) -> None:
    """No line that the command printed has a key in it."""
    [key] = json.loads(deployed.keys["aws"])["keys"].values()

    assert key not in deployed.printed
