"""Fixtures of the drills' tests: real processes, one emulator for the session, functions written into a folder."""

import json
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drills.aws.clients import aws_client
from drills.aws.event_source_mapping import EventSourceMapping, MappingSettings
from drills.aws.execution_environment import FunctionSettings
from drills.aws.function import LambdaFunction
from drills.aws.ministack import Ministack
from drills.aws.sqs_queue import SqsQueue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def make_function(tmp_path: Path) -> Iterator[Callable[..., LambdaFunction]]:
    """Give `make_function(source, timeout_s=…, maximum_concurrency=…)`: a function with this source as its module."""
    functions = []

    def make(source: str, *, timeout_s: float = 10.0, maximum_concurrency: int = 4) -> LambdaFunction:
        (tmp_path / "app.py").write_text(textwrap.dedent(source))
        settings = FunctionSettings(
            name="process",
            handler="app.handler",
            task_root=tmp_path,
            environment={"FOLDER": str(tmp_path)},
            region="us-east-1",
            timeout_s=timeout_s,
            memory_mib=256,
            log_format="Text",
            maximum_concurrency=maximum_concurrency,
        )
        functions.append(LambdaFunction(settings, log_folder=tmp_path / "logs"))
        return functions[-1]

    yield make

    for function in functions:
        function.close()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """Give an emulator that runs for the whole session."""
    with Ministack(tmp_path_factory.mktemp("ministack")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def sqs(ministack: Ministack) -> "Iterator[SQSClient]":
    """Give a client of it."""
    client = aws_client("sqs", endpoint_url=ministack.endpoint_url)
    yield client
    client.close()


@pytest.fixture
def parked(sqs: "SQSClient") -> SqsQueue:
    """Give the queue where the messages of `queue` go after three receives."""
    return _create_queue(sqs, {})


@pytest.fixture
def queue(sqs: "SQSClient", parked: SqsQueue) -> SqsQueue:
    """Give an empty queue with a visibility timeout of one second."""
    redrive = json.dumps({"deadLetterTargetArn": parked.arn, "maxReceiveCount": 3})
    return _create_queue(sqs, {"VisibilityTimeout": "1", "RedrivePolicy": redrive})


def _create_queue(sqs: "SQSClient", attributes: Any) -> SqsQueue:
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:8]}", Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return SqsQueue(sqs=sqs, url=url, arn=arn)


@pytest.fixture
def start_mapping(queue: SqsQueue) -> Iterator[Callable[..., EventSourceMapping]]:
    """Give `start_mapping(function, batch_size=…, …)`: a running mapping from `queue` that reports item failures."""
    mappings = []

    def start(function: LambdaFunction, **declared: Any) -> EventSourceMapping:
        chosen = {"maximum_concurrency": 2, "reports_item_failures": True, **declared}
        settings = MappingSettings(queue_url=queue.url, queue_arn=queue.arn, **chosen)
        mappings.append(EventSourceMapping(settings, function=function, sqs=queue.sqs))
        mappings[-1].start()
        return mappings[-1]

    yield start

    for mapping in mappings:
        mapping.stop()
