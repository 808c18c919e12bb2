"""One Lambda execution environment: a worker process with Amazon's own runtime client, fed through the Runtime API.

Source: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle" and "Using Lambda
environment variables". The file system, the memory limit, the CPU share and IAM are not enforced.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drills.aws.runtime_api import FunctionError, RuntimeApi
from drills.supervisor import SupervisedProcess

ACCOUNT_ID = "000000000000"
# The Init phase is limited to 10 seconds. Lambda then tries again within the function's timeout; here it is an error.
INIT_TIMEOUT_S = 10.0
_ALIVE_CHECK_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """What a deployment declares about one function; `log_format` is "Text" or "JSON"."""

    name: str
    handler: str
    task_root: Path
    environment: Mapping[str, str]
    region: str
    timeout_s: float
    memory_mib: int
    log_format: str
    maximum_concurrency: int

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{ACCOUNT_ID}:function:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationResult:
    """What one invocation gave.

    Attributes:
        outcome: The handler's response in JSON, or the error.
        is_cold: Whether the environment was started for it.
        elapsed_ms: From submission, or from the worker's start if it is cold, to the outcome.
    """

    outcome: bytes | FunctionError
    is_cold: bool
    elapsed_ms: float


class ExecutionEnvironment:
    """One worker process, started by its first invocation and kept warm. One invocation at a time.

    When it is no longer `is_usable` (a timeout, a crash, a handler that cannot be loaded), Lambda would reset the
    sandbox; here its owner closes it and takes a new one.
    """

    def __init__(self, settings: FunctionSettings, *, name: str, log_folder: Path) -> None:
        """Prepare an environment whose worker logs to `log_folder/name.log`."""
        self._settings = settings
        self._api = RuntimeApi(function_arn=settings.arn, timeout_s=settings.timeout_s)
        self._process = SupervisedProcess(
            [sys.executable, "-m", "awslambdaric", settings.handler],
            name=name,
            environment=_worker_environment(settings, runtime_api=self._api.address, log_stream=name),
            folder=settings.task_root,
            log_path=log_folder / f"{name}.log",
        )
        self._is_started = False

    @property
    def is_usable(self) -> bool:
        """Whether it can take an invocation: not started yet, or running and not about to end."""
        return not self._is_started or (self._process.is_running and not self._api.is_runtime_lost)

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, event: bytes) -> InvocationResult:
        """Run the handler once; a handler that exceeds the function's timeout is killed with its process."""
        is_cold = not self._is_started
        self._api.submit(event)
        started_s = time.monotonic()
        if is_cold:
            self._is_started = True
            self._process.start()
        outcome = self._await_outcome()
        return InvocationResult(outcome=outcome, is_cold=is_cold, elapsed_ms=(time.monotonic() - started_s) * 1000)

    @property
    def cpu_s(self) -> float | None:
        """User and system time of the running worker, in steps of 10 ms; None where there is no /proc (macOS)."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return None
        utime_and_stime = int(fields[11]) + int(fields[12])  # proc(5): fields 14 and 15; the first two are cut off
        return utime_and_stime / os.sysconf("SC_CLK_TCK")

    @property
    def peak_rss_bytes(self) -> int | None:
        """Most memory that the running worker has held; None where there is no /proc (macOS)."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except FileNotFoundError:
            return None
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def close(self) -> None:
        """Kill the worker, as Lambda does without extensions ("Shutdown phase"), and stop its Runtime API."""
        self._process.kill()
        self._api.close()

    def _await_outcome(self) -> bytes | FunctionError:
        if not self._is_true_in_time(self._api.wait_taken, limit_s=INIT_TIMEOUT_S):
            return self._end_worker(INIT_TIMEOUT_S)
        self._is_true_in_time(self._api.wait_finished, limit_s=self._settings.timeout_s)
        return self._end_worker(self._settings.timeout_s) if self._api.outcome is None else self._api.outcome

    def _is_true_in_time(self, wait: Callable[[float], bool], *, limit_s: float) -> bool:
        """Wait until it is true, the limit is over, or the worker has ended (then look once more: its last words)."""
        deadline_s = time.monotonic() + limit_s
        while True:
            was_alive = self._process.is_running
            wait_s = min(_ALIVE_CHECK_S, max(0.0, deadline_s - time.monotonic())) if was_alive else 0.0
            if wait(wait_s):
                return True
            if not was_alive or time.monotonic() >= deadline_s:
                return False

    def _end_worker(self, limit_s: float) -> FunctionError:
        """Say why there was no outcome, in Lambda's words without the request id, and see that the worker is gone."""
        exit_status = self._process.exit_status
        self._process.kill()
        if exit_status is None:
            message = f"Error: Task timed out after {limit_s:.2f} seconds"
            return FunctionError(error_type="Sandbox.Timedout", error_message=message)
        message = f"Error: Runtime exited with error: exit status {exit_status}"
        return FunctionError(error_type="Runtime.ExitError", error_message=message)


def _worker_environment(settings: FunctionSettings, *, runtime_api: str, log_stream: str) -> dict[str, str]:
    """Return the whole environment of a worker: Lambda's own variables win over the function's.

    Credentials stand among the function's variables here; Lambda derives them from the role.
    """
    return {
        **settings.environment,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mib),
        "AWS_LAMBDA_FUNCTION_NAME": settings.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": settings.log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{settings.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "LAMBDA_TASK_ROOT": str(settings.task_root),
        "LANG": "en_US.UTF-8",
        "PATH": os.defpath,
        "PYTHONPATH": str(settings.task_root),
        "TZ": ":UTC",
        "_HANDLER": settings.handler,
    }
