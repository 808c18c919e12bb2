"""A secret of the deployment in AWS Secrets Manager. Operators' commands use it; functions get values at deployment."""

from dataclasses import dataclass, field
from typing import Any

from core.errors import ProviderUnusableError
from providers.aws.errors import SDK_ERRORS, code_of, translate

STACK_TAG = "sluice:stack"  # whose it is: what lacks it is nobody's to change


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret's newest value.

    Attributes:
        version: Opaque; another one for each value.
    """

    value: str = field(repr=False)
    version: str


class SecretsManagerSecret:
    """One secret by its name, whether it stands or not."""

    def __init__(self, *, name: str, stack: str, client: Any) -> None:
        self._name, self._stack, self._client = name, stack, client

    def read(self) -> Secret | None:
        """Its newest value, or None where there is none.

        Raises:
            StepError: AWS refuses, or does not answer.
        """
        found = self._ask("get_secret_value", SecretId=self._name)
        return None if found is None else Secret(value=found["SecretString"], version=found["VersionId"])

    def write(self, value: str) -> None:
        """Create it, or add a version if the value differs.

        Raises:
            StepError: AWS refuses, or does not answer; or it is not of this stack. Then nothing is changed.
        """
        held = self.read()
        if held is None:
            tags = [{"Key": STACK_TAG, "Value": self._stack}]
            self._ask("create_secret", Name=self._name, SecretString=value, Tags=tags)
        elif held.value != value:
            self._check_owner()
            self._ask("put_secret_value", SecretId=self._name, SecretString=value)

    def remove(self) -> None:
        """Remove it at once, without the days in which it could be restored; none is fine.

        Raises:
            StepError: AWS refuses, or does not answer; or it is not of this stack. Then nothing is changed.
        """
        if self._check_owner():
            self._ask("delete_secret", SecretId=self._name, ForceDeleteWithoutRecovery=True)

    def _check_owner(self) -> bool:
        """Whether it stands; raises if it is somebody else's."""
        found = self._ask("describe_secret", SecretId=self._name)
        if found is None:
            return False
        if {"Key": STACK_TAG, "Value": self._stack} not in found.get("Tags", []):
            raise ProviderUnusableError(
                f"secret {self._name} is not of this deployment: it lacks the tag {STACK_TAG}={self._stack}; "
                "give it the tag, or remove it"
            )
        return True

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """Call AWS; None where there is no such secret."""
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except SDK_ERRORS as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise translate(error, operation=f"Secrets Manager {operation}", subject=self._name) from error
        return answer


def make_secret(*, name: str, stack: str) -> SecretsManagerSecret:
    """The secret, by a client with the credentials and the region of the environment."""
    import botocore.session
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})
    client = botocore.session.get_session().create_client("secretsmanager", config=config)
    return SecretsManagerSecret(name=name, stack=stack, client=client)
