"""What the deployment declares for AWS, read from the Serverless Framework: drills run this, and nothing of their own.

A drill that needs another setting, such as a short timeout, changes it with `dataclasses.replace` where all can see it.
"""

import copy
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from drills.aws.clients import CREDENTIALS, REGION

PRINT_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The function `process`, the queue that feeds it, and the resources around them.

    Attributes:
        resources: CloudFormation resources by logical id, without those that the framework makes for each function.
        environment: The function's variables; values may be CloudFormation intrinsics.
        log_format: "Text" or "JSON".
        queue_id: Logical id of the work queue.
        parked_queue_id: Logical id of the queue in which messages end after too many receives.
    """

    resources: Mapping[str, Any]
    function_name: str
    handler: str
    environment: Mapping[str, Any]
    timeout_s: float
    memory_mib: int
    log_format: str
    queue_id: str
    parked_queue_id: str
    batch_size: int
    batching_window_s: float
    maximum_concurrency: int
    reports_item_failures: bool

    @classmethod
    def from_printed(cls, printed: Mapping[str, Any]) -> Self:
        """Read what `sls print --format json` wrote; where it is silent, the Serverless Framework's defaults hold."""
        resources = printed["resources"]["Resources"]
        provider, function = printed["provider"], printed["functions"]["process"]
        [trigger] = [event["sqs"] for event in function["events"] if "sqs" in event]
        queue_id = _referred_id(trigger["arn"])
        redrive = resources[queue_id]["Properties"]["RedrivePolicy"]
        return cls(
            resources=resources,
            function_name=function["name"],
            handler=function["handler"],
            environment={**provider.get("environment", {}), **function.get("environment", {})},
            timeout_s=float(function.get("timeout", provider.get("timeout", 6))),
            memory_mib=int(function.get("memorySize", provider.get("memorySize", 1024))),
            log_format=provider.get("logs", {}).get("lambda", {}).get("logFormat", "Text"),
            queue_id=queue_id,
            parked_queue_id=_referred_id(redrive["deadLetterTargetArn"]),
            batch_size=int(trigger.get("batchSize", 10)),
            batching_window_s=float(trigger.get("maximumBatchingWindow", 0)),
            maximum_concurrency=int(trigger.get("maximumConcurrency", 5)),
            reports_item_failures=trigger.get("functionResponseType") == "ReportBatchItemFailures",
        )

    def with_visibility_timeout(self, visibility_timeout_s: int) -> Self:
        """Return the same with another visibility timeout of the work queue."""
        resources = copy.deepcopy(dict(self.resources))
        resources[self.queue_id]["Properties"]["VisibilityTimeout"] = visibility_timeout_s
        return replace(self, resources=resources)

    def only_id(self, resource_type: str) -> str:
        """Return the logical id of the one resource of a type."""
        [logical_id] = [name for name, resource in self.resources.items() if resource["Type"] == resource_type]
        return logical_id


def read_declaration(project_folder: Path) -> Declaration:
    """Ask the project's own Serverless Framework what it would deploy.

    Raises:
        RuntimeError: It refuses; the message is its own.
    """
    printing = subprocess.run(
        [str(project_folder / "node_modules/.bin/sls"), "print", "--cloud", "aws", "--format", "json"],
        cwd=project_folder,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "AWS_REGION": REGION, **CREDENTIALS},
        capture_output=True,
        text=True,
        timeout=PRINT_TIMEOUT_S,
        check=False,
    )
    if printing.returncode != 0:
        raise RuntimeError(f"sls print failed with status {printing.returncode}\n{printing.stdout}{printing.stderr}")
    return Declaration.from_printed(json.loads(printing.stdout))


def _referred_id(arn: Mapping[str, Any]) -> str:
    """Return the logical id in `{"Fn::GetAtt": [logical id, "Arn"]}`."""
    logical_id, _ = arn["Fn::GetAtt"]
    return str(logical_id)
