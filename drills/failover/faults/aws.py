"""Faults of a deployed AWS, made with its own API: functions that may not run, a function that may not use its ledger.

Each is taken back whatever ends the drill, short of a kill; `plan` says by which command, should it be one.
"Setting reserved concurrency to zero" stops a function at once (AWS Lambda Developer Guide, "Configuring reserved
concurrency"); a role's new policy counts after seconds (IAM User Guide, "Changes that I make are not always
immediately visible").
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drills.failover.scenario import FaultName, TimedFault

POLICY_NAME = "sluice-drill-deny"
_DENY_LEDGER = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}],
}
# Taking a fault back must succeed: more tries than usual.
_PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 8}, connect_timeout=5, read_timeout=10)
_WORKERS = {FaultName.CONCURRENCY_0: ("process",), FaultName.FUNCTIONS_DEAD: ("process", "api", "watch")}

_RESERVED = "ReservedConcurrentExecutions"

FAULTS = frozenset({*_WORKERS, FaultName.PERMISSION_REVOKED})


class AwsFaultError(Exception):
    """AWS did not do what a fault needs, or did not take it back; the message says what is to be done by hand."""


def default_client(service: str) -> Any:
    """With the credentials and the region that boto3 finds."""
    session: Any = boto3.session.Session()
    return session.client(service, config=_PATIENT)


class AwsFaults:
    """Of the functions `<prefix>-process`, `<prefix>-api` and `<prefix>-watch`."""

    def __init__(self, *, prefix: str, make_client: Callable[[str], Any] = default_client) -> None:
        """`make_client`: of "lambda" and "iam".

        Raises:
            AwsFaultError: There is no region.
        """
        self._prefix = prefix
        with _told("use AWS"):
            self._lambda = make_client("lambda")
            self._iam = make_client("iam")

    def plan(self, fault: TimedFault) -> Sequence[str]:
        """What the fault changes, and the commands that take it back. Only reads.

        Raises:
            AwsFaultError: The functions cannot be read.
        """
        if fault.fault is FaultName.PERMISSION_REVOKED:
            role = self._role()
            by_hand = (
                f"if the drill is killed: aws iam delete-role-policy --role-name {role} --policy-name {POLICY_NAME}"
            )
            return [f"gives the role {role} the inline policy {POLICY_NAME} (Deny dynamodb:*), and deletes it", by_hand]
        lines = []
        for name in self._names(fault):
            before = self._reserved_count(name)
            now = "none" if before is None else before
            lines.append(f"sets the reserved concurrency of {name} to 0, and back (now: {now})")
            lines.append(f"if the drill is killed: {_by_hand(name, before)}")
        return lines

    def made(self, fault: TimedFault) -> AbstractContextManager[None]:
        """The fault, from entering to leaving. Raises AwsFaultError."""
        if fault.fault is FaultName.PERMISSION_REVOKED:
            return self._denied(self._role())
        return self._stopped(self._names(fault))

    @contextmanager
    def _stopped(self, names: Sequence[str]) -> Iterator[None]:
        before = {name: self._reserved_count(name) for name in names}
        with ExitStack() as taking_back:
            for name in names:  # before the change, of which the answer may be lost
                taking_back.callback(self._reserve, name, before[name])
                with _told(f"stop {name}"):
                    self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            yield

    @contextmanager
    def _denied(self, role: str) -> Iterator[None]:
        try:
            with _told(f"deny {role} its ledger"):
                self._iam.put_role_policy(
                    RoleName=role, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(_DENY_LEDGER)
                )
            yield
        finally:
            with _told(f"delete the policy {POLICY_NAME} of {role}; do it by hand", but=("NoSuchEntity",)):
                self._iam.delete_role_policy(RoleName=role, PolicyName=POLICY_NAME)

    def _reserve(self, name: str, count: int | None) -> None:
        with _told(f"give {name} its concurrency back; by hand: {_by_hand(name, count)}"):
            if count is None:
                self._lambda.delete_function_concurrency(FunctionName=name)
            else:
                self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=count)

    def _reserved_count(self, name: str) -> int | None:
        with _told(f"read {name}"):
            count: int | None = self._lambda.get_function_concurrency(FunctionName=name).get(_RESERVED)
        return count

    def _role(self) -> str:
        name = f"{self._prefix}-process"
        with _told(f"read {name}"):
            arn: str = self._lambda.get_function_configuration(FunctionName=name)["Role"]
        return arn.rpartition("/")[2]

    def _names(self, fault: TimedFault) -> Sequence[str]:
        return [f"{self._prefix}-{worker}" for worker in _WORKERS[fault.fault]]


def _by_hand(name: str, count: int | None) -> str:
    if count is None:
        return f"aws lambda delete-function-concurrency --function-name {name}"
    return f"aws lambda put-function-concurrency --function-name {name} --reserved-concurrent-executions {count}"


@contextmanager
def _told(what: str, *, but: Sequence[str] = ()) -> Iterator[None]:
    """Say what could not be done. `but`: error codes that are no errors here."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in but:
            raise AwsFaultError(f"aws: could not {what}: {error}") from error
    except BotoCoreError as error:
        raise AwsFaultError(f"aws: could not {what}: {error}") from error
