"""The benchmark on a local AWS, in Amazon's runtime client for Lambda: also against Powertools, which does our job."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.ports import ObjectInfo
from drills.aws.cloud import LocalAws
from drills.aws.declaration import read_declaration
from drills.aws.drilled import DrilledAws
from drills.aws.execution_environment import ExecutionEnvironment
from drills.aws.runtime_api import FunctionError
from drills.bench.report import Goal
from providers.aws.events import notification_event

GOALS = (
    Goal(what="cold", max_ratio=1.0),
    Goal(what="cold CPU", max_ratio=1.0),
    Goal(what="warm", max_ratio=1.0),
    Goal(what="warm", max_ratio=0.6, against="powertools"),
)
_HANDLERS = {
    "naive": "drills.bench.naive_aws.handler",
    "powertools": "drills.bench.powertools.handler",
    "sluice": "handlers.aws.process",
}
_SUCCESSES: tuple[Any, ...] = (None, {"batchItemFailures": []})


class AwsInstance:
    """One execution environment."""

    def __init__(self, environment: ExecutionEnvironment) -> None:
        self._environment = environment

    @property
    def pid(self) -> int:
        return self._environment.pid

    @property
    def peak_rss_bytes(self) -> int | None:
        return self._environment.peak_rss_bytes

    def handle(self, event: str) -> None:
        outcome = self._environment.invoke(event.encode()).outcome
        if isinstance(outcome, FunctionError) or json.loads(outcome) not in _SUCCESSES:
            raise RuntimeError(f"the handler failed: {outcome!r}")

    def close(self) -> None:
        self._environment.close()


class AwsBench:
    """The handlers on one local AWS, whose own function stays unused."""

    handlers = tuple(_HANDLERS)

    def __init__(self, aws: LocalAws, *, folder: Path) -> None:
        self.aws = aws
        self._folder = folder
        self._environment = {**aws.environment, "BENCH_CLAIMS_TABLE": _create_claims_table(aws)}

    def start(self, handler: str, *, label: str) -> AwsInstance:
        settings = replace(self.aws.function.settings, handler=_HANDLERS[handler], environment=self._environment)
        return AwsInstance(ExecutionEnvironment(settings, name=label, log_folder=self._folder / "bench"))

    def put(self, key: str, content: bytes) -> str:
        version = self.aws.s3.put_object(Bucket=self.aws.bucket, Key=key, Body=content)["VersionId"]
        return self.event_of(ObjectInfo(key=key, version=version, size_bytes=len(content)))

    def event_of(self, info: ObjectInfo) -> str:
        return json.dumps(notification_event(info, bucket=self.aws.bucket))

    def scan(self) -> list[Mapping[str, Any]]:
        return DrilledAws(self.aws).scan()


@contextmanager
def open_aws(folder: Path, *, task_root: Path) -> Iterator[AwsBench]:
    """Start the servers; stop them afterwards."""
    declared = replace(read_declaration(task_root), timeout_s=600)
    with LocalAws(declared, folder=folder, task_root=task_root) as aws:
        aws.mapping.stop()  # the benchmark invokes the handlers itself
        yield AwsBench(aws, folder=folder)


def _create_claims_table(aws: LocalAws) -> str:
    aws.dynamodb.create_table(
        TableName="bench-claims",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "bench-claims"
