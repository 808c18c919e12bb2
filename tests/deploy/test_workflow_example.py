"""The example of a GitHub workflow: it deploys, and holds no key. It was never run on GitHub."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/examples/github-actions.yml").read_text()
LOGINS = ("aws-actions/configure-aws-credentials", "google-github-actions/auth", "azure/login")
# By their inputs and variables, from the actions' own documentation.
KEYS = ("aws-access-key-id", "aws-secret-access-key", "credentials_json", "creds", "client-secret")
KEY_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AZURE_CLIENT_SECRET",
    "GOOGLE_CREDENTIALS",
    "ARM_CLIENT",
)


@pytest.fixture
def job() -> dict[str, Any]:
    [job] = yaml.safe_load(TEXT)["jobs"].values()
    return dict(job)


def test_no_key_is_named(job: dict[str, Any]) -> None:
    """No secret of the repository, no input and no variable that holds a key."""
    inputs = {name for step in job["steps"] for name in step.get("with", {})}

    assert "secrets." not in TEXT
    assert not inputs & set(KEYS)
    assert not [name for name in KEY_VARIABLES if name in TEXT]


def test_run_may_ask_for_its_token_and_for_nothing_else() -> None:
    """Beside reading the code, the run may only show the clouds who it is."""
    assert yaml.safe_load(TEXT)["permissions"] == {"contents": "read", "id-token": "write"}


@pytest.mark.parametrize("login", LOGINS)
def test_logs_in_to_each_cloud_before_it_deploys(job: dict[str, Any], login: str) -> None:
    """Each cloud's own action stands before the first `sls clouds`."""
    steps = [step.get("uses", step.get("run", "")) for step in job["steps"]]
    [at] = [number for number, step in enumerate(steps) if step.startswith(f"{login}@")]

    first = next(number for number, step in enumerate(steps) if "sls clouds" in step)

    assert at < first


def test_tokens_for_azure_are_got_right_after_the_login(job: dict[str, Any]) -> None:
    """The vault's, beside Resource Manager's: GitHub's own token has ended before the deployment comes to secrets."""
    steps = [step.get("uses", step.get("run", "")) for step in job["steps"]]
    [at] = [number for number, step in enumerate(steps) if step.startswith("azure/login@")]
    vault = re.search("'(https://vault[^']+)'", (ROOT / "plugins/azure/deployment.js").read_text())

    assert vault
    assert f"get-access-token --resource {vault[1]} --output none" in steps[at + 1]


def test_plans_and_deploys_the_same(job: dict[str, Any]) -> None:
    """What is planned is what is deployed: the commands differ in --plan alone."""
    plan, deploy = [step["run"] for step in job["steps"] if "sls clouds" in step.get("run", "")]

    assert plan == f"{deploy} --plan"


def test_variables_have_names_that_settings_read(job: dict[str, Any]) -> None:
    """Each region and subscription is one that some cloud's serverless.yml reads."""
    providers = Path(__file__).parents[2] / "providers"
    read = set(re.findall(r"\$\{[^}]*?env:(\w+)", "".join(p.read_text() for p in providers.glob("*/serverless.yml"))))

    assert set(job["env"]) - read == {"AZURE_TOKEN_CREDENTIALS"}  # azure-identity's own
