"""Creates a declaration's resources with CloudFormation, which resolves all references, and learns their names."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import ClientError

from drills.aws.clients import aws_client
from drills.aws.declaration import Declaration
from drills.waiting import wait_until

STACK_NAME = "sluice-drill"
CREATE_TIMEOUT_S = 30.0
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_ENDPOINT = re.compile(r"http://127\.0\.0\.1:\d+(?=/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The physical names of what stands."""

    bucket: str
    table: str
    work_queue_url: str
    work_queue_arn: str
    parked_queue_url: str
    parked_queue_arn: str
    function_environment: Mapping[str, str]

    @classmethod
    def create(cls, declaration: Declaration, *, endpoint_url: str) -> Self:
        """Create the stack, or bring the one that stands from an earlier run up to the declaration; wait for it.

        Raises:
            RuntimeError: CloudFormation gave up; the message has its reasons.
        """
        variables = {f"Variable{index}": name for index, name in enumerate(declaration.environment)}
        values: dict[str, Any] = {
            "Bucket": {"Ref": declaration.only_id("AWS::S3::Bucket")},
            "Table": declaration.environment["SLUICE_LEDGER_TABLE"],
            "WorkQueueUrl": {"Ref": declaration.queue_id},
            "WorkQueueArn": {"Fn::GetAtt": [declaration.queue_id, "Arn"]},
            "ParkedQueueUrl": {"Ref": declaration.parked_queue_id},
            "ParkedQueueArn": {"Fn::GetAtt": [declaration.parked_queue_id, "Arn"]},
            **{output: declaration.environment[name] for output, name in variables.items()},
        }
        outputs = _create(declaration.resources, values, endpoint_url=endpoint_url)
        return cls(
            bucket=outputs["Bucket"],
            table=outputs["Table"],
            work_queue_url=outputs["WorkQueueUrl"],
            work_queue_arn=outputs["WorkQueueArn"],
            parked_queue_url=outputs["ParkedQueueUrl"],
            parked_queue_arn=outputs["ParkedQueueArn"],
            function_environment={name: outputs[output] for output, name in variables.items()},
        )


def _create(resources: Mapping[str, Any], values: Mapping[str, Any], *, endpoint_url: str) -> dict[str, str]:
    """Create or update the resources; return each of `values` with its intrinsics resolved."""
    outputs = {name: {"Value": value if isinstance(value, dict) else str(value)} for name, value in values.items()}
    cloudformation = aws_client("cloudformation", endpoint_url=endpoint_url)
    try:
        _deploy(cloudformation, json.dumps({"Resources": resources, "Outputs": outputs}))

        def read_finished_stack() -> Any:
            [stack] = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

        stack = wait_until(read_finished_stack, timeout_s=CREATE_TIMEOUT_S, what="stack created")
        if stack["StackStatus"] not in _DONE:
            events = cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
            raise RuntimeError("\n".join(str(event.get("ResourceStatusReason", "")) for event in events))
        # A queue's address keeps the port under which it was created.
        return {output["OutputKey"]: _ENDPOINT.sub(endpoint_url, output["OutputValue"]) for output in stack["Outputs"]}
    finally:
        cloudformation.close()


def _deploy(cloudformation: Any, template: str) -> None:
    try:
        cloudformation.create_stack(StackName=STACK_NAME, TemplateBody=template)
        return
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
    try:
        cloudformation.update_stack(StackName=STACK_NAME, TemplateBody=template)
    except ClientError as error:
        # CloudFormation has no code of its own for this; it answers ValidationError.
        if "No updates are to be performed" not in error.response["Error"]["Message"]:
            raise
