"""The deployment's secret in Secrets Manager, on an emulator of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from core.errors import ProviderUnusableError
from drills.aws.clients import CREDENTIALS, REGION
from drills.aws.ministack import Ministack
from handlers.secret import main
from providers.aws.secret import Secret, SecretsManagerSecret


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An emulator's client."""
    with Ministack(tmp_path_factory.mktemp("ministack")) as emulator:
        yield boto3.session.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        ).client("secretsmanager", endpoint_url=emulator.endpoint_url)


@pytest.fixture
def secret(client: Any, tmp_path: Path) -> SecretsManagerSecret:
    """One that does not stand yet."""
    return SecretsManagerSecret(name=f"keys-{tmp_path.name}", stack="sluice-dev", client=client)


def test_missing_secret_is_no_error(secret: SecretsManagerSecret) -> None:
    """What was never written reads as None, and may be removed."""
    secret.remove()

    assert secret.read() is None


def test_written_secret_is_read_back(secret: SecretsManagerSecret) -> None:
    """A secret is created by the first write, and holds the newest value after each."""
    secret.write("one")
    secret.write("two")

    assert (found := secret.read()) is not None
    assert found.value == "two"


def test_same_value_makes_no_version(secret: SecretsManagerSecret) -> None:
    """Written again, the same value is the same version: a deployment that refers to it sees no change."""
    secret.write("one")
    before = secret.read()

    secret.write("one")

    assert secret.read() == before


def test_another_value_is_another_version(secret: SecretsManagerSecret) -> None:
    """A new value has a new version: a deployment that refers to it sees a change."""
    secret.write("one")
    before = secret.read()
    secret.write("two")

    after = secret.read()

    assert before is not None
    assert after is not None
    assert before.version != after.version


def test_removed_secret_may_be_written_again(secret: SecretsManagerSecret) -> None:
    """Removal leaves nothing that stands in the way of the next deployment."""
    secret.write("one")
    secret.remove()
    secret.write("two")

    assert (found := secret.read()) is not None
    assert found.value == "two"


def test_secret_of_somebody_else_is_left_alone(client: Any, secret: SecretsManagerSecret, tmp_path: Path) -> None:
    """A secret without this stack's tag is neither changed nor removed, and the error says what to do."""
    client.create_secret(Name=f"keys-{tmp_path.name}", SecretString="theirs")

    with pytest.raises(ProviderUnusableError, match="lacks the tag sluice:stack=sluice-dev; give it the tag"):
        secret.write("ours")
    with pytest.raises(ProviderUnusableError, match="lacks the tag"):
        secret.remove()

    assert (found := secret.read()) is not None
    assert found.value == "theirs"


def test_secret_is_not_shown() -> None:
    """A value does not stand in the object's text, which logs and tracebacks print."""
    assert "hush" not in repr(Secret(value="hush", version="1"))


def test_refusal_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command that JavaScript runs says what AWS did not do, without a traceback, and fails."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")

    status = main(["read", "--cloud=aws", "--name=keys", "--stack=sluice-dev"])

    assert status == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "Error: AWS Secrets Manager get_secret_value of keys: EndpointConnectionError\n"
