"""Google's functions framework as a supervised process: one function, and what the deployment would say of it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from drills.supervisor import LOOPBACK, SupervisedProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """What the deployment would say of the function and of the subscription that pushes to it.

    Attributes:
        timeout_s: Of the function, told to it as SLUICE_TIMEOUT_S.
        ack_deadline_s: How long a push may take before it counts as failed (10 to 600).
        shortest_backoff_s: Until the second delivery; it doubles up to `longest_backoff_s`. Google: 10 and 600.
        max_delivery_attempts: Before Pub/Sub itself parks a message (5 to 100).
        thread_count: Requests that the one worker process serves at once.
        environment: In addition to what the function needs.
    """

    timeout_s: int = 60
    ack_deadline_s: int = 70
    shortest_backoff_s: float = 10
    longest_backoff_s: float = 600
    max_delivery_attempts: int = 100
    thread_count: int = 8
    environment: Mapping[str, str] = field(default_factory=dict)

    def subscription(self, project: str) -> dict[str, Any]:
        """What Pub/Sub is told of the subscription, in `project` ("projects/p"); where it pushes comes later."""
        return {
            "topic": f"{project}/topics/work",
            "ackDeadlineSeconds": self.ack_deadline_s,
            "retryPolicy": {
                "minimumBackoff": f"{self.shortest_backoff_s}s",
                "maximumBackoff": f"{self.longest_backoff_s}s",
            },
            "deadLetterPolicy": {
                "deadLetterTopic": f"{project}/topics/parked",
                "maxDeliveryAttempts": self.max_delivery_attempts,
            },
        }


def framework(
    target: Literal["process", "api"],
    *,
    port: int,
    source: Path,
    thread_count: int,
    environment: Mapping[str, str],
    task_root: Path,
    log_path: Path,
) -> SupervisedProcess:
    """Describe a framework that serves one function: `process` is called with CloudEvents, `api` with HTTP as it comes.

    Args:
        source: The file with the function.
        thread_count: Requests that its one worker process serves at once.
    """
    kind = "cloudevent" if target == "process" else "http"
    where = ["--host", LOOPBACK, "--port", str(port), "--source", str(source)]
    return SupervisedProcess(
        [sys.executable, "-m", "functions_framework", "--target", target, "--signature-type", kind, *where],
        name=f"functions-framework {target}",
        environment={
            "PATH": os.defpath,
            "PYTHONPATH": str(task_root),
            "FUNCTION_TARGET": target,
            "WORKERS": "1",
            "THREADS": str(thread_count),
            **environment,
        },
        folder=task_root,
        log_path=log_path,
    )
