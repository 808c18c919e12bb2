"""A Lambda function: a pool of execution environments, started on demand, kept warm, and never more than allowed.

Source: AWS Lambda Developer Guide, "Understanding Lambda function scaling".
"""

import threading
from dataclasses import dataclass
from pathlib import Path

from drills.aws.execution_environment import ExecutionEnvironment, FunctionSettings, InvocationResult
from drills.aws.runtime_api import FunctionError


class ThrottledError(Exception):
    """All allowed environments are busy: Lambda's TooManyRequestsException."""


@dataclass(slots=True, kw_only=True)
class FunctionCounts:
    """What has happened so far. An error is an invocation that gave no response."""

    invocation: int = 0
    cold_start: int = 0
    error: int = 0
    throttle: int = 0
    most_concurrent: int = 0


class LambdaFunction:
    """Invoke it from any thread."""

    def __init__(self, settings: FunctionSettings, *, log_folder: Path) -> None:
        """Prepare the function; nothing is started before the first invocation."""
        self.settings = settings
        self.counts = FunctionCounts()
        self._log_folder = log_folder
        self._lock = threading.Lock()
        self._warm: list[ExecutionEnvironment] = []
        self._busy: set[ExecutionEnvironment] = set()
        self._created_count = 0

    def invoke(self, event: bytes) -> InvocationResult:
        """Run the handler once, in a warm environment if there is one.

        Raises:
            ThrottledError: As many invocations are running as `maximum_concurrency` allows.
        """
        environment = self._acquire()
        try:
            result = environment.invoke(event)
        finally:
            self._release(environment)
        with self._lock:
            self.counts.invocation += 1
            self.counts.cold_start += result.is_cold
            self.counts.error += isinstance(result.outcome, FunctionError)
        return result

    @property
    def environments(self) -> list[ExecutionEnvironment]:
        """The environments that stand now, busy or warm."""
        with self._lock:
            return [*self._warm, *self._busy]

    def close(self) -> None:
        """Kill all environments; an invocation that is running fails."""
        with self._lock:
            environments = [*self._warm, *self._busy]
            self._warm.clear()
        for environment in environments:
            environment.close()

    def _acquire(self) -> ExecutionEnvironment:
        with self._lock:
            if len(self._busy) >= self.settings.maximum_concurrency:
                self.counts.throttle += 1
                raise ThrottledError(f"{self.settings.name}: {len(self._busy)} invocations are running")
            environment = self._warm.pop() if self._warm else self._create()
            self._busy.add(environment)
            self.counts.most_concurrent = max(self.counts.most_concurrent, len(self._busy))
            return environment

    def _create(self) -> ExecutionEnvironment:
        self._created_count += 1
        name = f"{self.settings.name}-{self._created_count:03d}"
        return ExecutionEnvironment(self.settings, name=name, log_folder=self._log_folder)

    def _release(self, environment: ExecutionEnvironment) -> None:
        """Keep the environment warm, or drop it when it has lost its worker."""
        with self._lock:
            self._busy.discard(environment)
            if environment.is_usable:
                self._warm.append(environment)
                return
        environment.close()
