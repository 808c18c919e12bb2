"""Faults of a deployed AWS: made and taken back through AWS's own API, here ministack's."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from drills.aws.clients import CREDENTIALS, REGION
from drills.aws.ministack import Ministack
from drills.failover.faults.aws import POLICY_NAME, AwsFaultError, AwsFaults
from drills.failover.scenario import FaultName, TimedFault

STOPPED = TimedFault(at_s=0, fault=FaultName.CONCURRENCY_0, cloud="aws", for_s=30)
DEAD = TimedFault(at_s=0, fault=FaultName.FUNCTIONS_DEAD, cloud="aws", for_s=30)
REVOKED = TimedFault(at_s=0, fault=FaultName.PERMISSION_REVOKED, cloud="aws", for_s=30)
ROLE = "sluice-test-process"


class DrillEndedError(Exception):
    """Whatever ends a drill in the middle of a fault."""


class Account:
    """An account with the three functions of a deployment, and the role of `process`."""

    def __init__(self, emulator: Ministack) -> None:
        self.clients = {
            name: boto3.session.Session().client(
                name,  # type: ignore[call-overload]
                endpoint_url=emulator.endpoint_url,
                region_name=REGION,
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            )
            for name in ("lambda", "iam")
        }
        self.functions, self.iam = self.clients["lambda"], self.clients["iam"]

    def deploy(self) -> None:
        role = self.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Statement": []}))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.py", "def handler(event, context): pass")
        for name in ("process", "api", "watch"):
            self.functions.create_function(
                FunctionName=f"sluice-test-{name}",
                Runtime="python3.13",
                Role=role["Role"]["Arn"],
                Handler="app.handler",
                Code={"ZipFile": packed.getvalue()},
            )

    def reserved(self, name: str) -> int | None:
        found = self.functions.get_function_concurrency(FunctionName=f"sluice-test-{name}")
        count: int | None = found.get("ReservedConcurrentExecutions")
        return count

    def policy(self) -> Any:
        """The policy that the drill adds; None if it is not there."""
        try:
            return self.iam.get_role_policy(RoleName=ROLE, PolicyName=POLICY_NAME)["PolicyDocument"]
        except ClientError:
            return None

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


@pytest.fixture(scope="module")
def account(ministack: Ministack) -> Iterator[Account]:
    """Give it, in the session's emulator."""
    made = Account(ministack)
    made.deploy()
    yield made
    made.close()


@pytest.fixture
def faults(account: Account) -> AwsFaults:
    return AwsFaults(prefix="sluice-test", make_client=account.clients.__getitem__)


def test_function_is_stopped_and_let_go(account: Account, faults: AwsFaults) -> None:
    """Only `process`, and only while the fault lasts."""
    with faults.made(STOPPED):
        during = [account.reserved(name) for name in ("process", "api", "watch")]

    assert during == [0, None, None]
    assert account.reserved("process") is None


def test_reserve_of_before_comes_back(account: Account, faults: AwsFaults) -> None:
    """A function that had concurrency reserved has it again; of three functions each has its own."""
    account.functions.put_function_concurrency(FunctionName="sluice-test-api", ReservedConcurrentExecutions=7)

    with faults.made(DEAD):
        during = [account.reserved(name) for name in ("process", "api", "watch")]

    assert during == [0, 0, 0]
    assert [account.reserved(name) for name in ("process", "api", "watch")] == [None, 7, None]
    account.functions.delete_function_concurrency(FunctionName="sluice-test-api")


@pytest.mark.parametrize("end", [DrillEndedError, KeyboardInterrupt])
def test_faults_are_taken_back_whatever_ends_the_drill(
    account: Account, faults: AwsFaults, end: type[BaseException]
) -> None:
    """An error and Ctrl-C alike."""
    seen = []

    def drill() -> None:
        with faults.made(STOPPED), faults.made(REVOKED):
            seen.append((account.reserved("process"), account.policy() is not None))
            raise end

    with pytest.raises(end):
        drill()

    assert seen == [(0, True)]
    assert (account.reserved("process"), account.policy()) == (None, None)


def test_half_made_fault_is_taken_back(account: Account) -> None:
    """When the second of three functions cannot be stopped, the first one runs again; the error says what failed."""
    account.functions.put_function_concurrency(FunctionName="sluice-test-process", ReservedConcurrentExecutions=5)
    clients = {**account.clients, "lambda": _RefusesToStop(account.functions, "sluice-test-api")}
    faults = AwsFaults(prefix="sluice-test", make_client=clients.__getitem__)

    with pytest.raises(AwsFaultError, match="could not stop sluice-test-api"), faults.made(DEAD):
        pass

    assert account.reserved("process") == 5
    account.functions.delete_function_concurrency(FunctionName="sluice-test-process")


def test_plan_names_each_change_and_its_remedy(account: Account, faults: AwsFaults) -> None:
    """With what holds now; nothing is changed by it."""
    stopped, revoked = faults.plan(STOPPED), faults.plan(REVOKED)

    assert stopped == [
        "sets the reserved concurrency of sluice-test-process to 0, and back (now: none)",
        "if the drill is killed: aws lambda delete-function-concurrency --function-name sluice-test-process",
    ]
    assert (
        revoked[1]
        == f"if the drill is killed: aws iam delete-role-policy --role-name {ROLE} --policy-name {POLICY_NAME}"
    )
    assert (account.reserved("process"), account.policy()) == (None, None)


def test_ledger_is_denied(account: Account, faults: AwsFaults) -> None:
    """The role of `process` gets an explicit denial, which outweighs what it is allowed."""
    with faults.made(REVOKED):
        during = account.policy()

    (statement,) = during["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "dynamodb:*")
    assert account.policy() is None


def test_deployment_that_is_not_there(account: Account) -> None:
    """It is said which function is missing."""
    faults = AwsFaults(prefix="sluice-prod", make_client=account.clients.__getitem__)

    with pytest.raises(AwsFaultError, match="could not read sluice-prod-process"):
        faults.plan(STOPPED)


class _RefusesToStop:
    """Lambda's client, that refuses to reserve concurrency for one function."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    def put_function_concurrency(self, **given: Any) -> Any:
        if given["FunctionName"] == self._name:
            error = {"Error": {"Code": "AccessDeniedException", "Message": "not yours"}}
            raise ClientError(error, "PutFunctionConcurrency")  # type: ignore[arg-type]
        return self._client.put_function_concurrency(**given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)
