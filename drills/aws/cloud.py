"""The deployment on a local AWS: storage, queue and tables emulated, the functions in Amazon's runtime client."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from drills.among_others import AmongOthers
from drills.aws.api_package import HANDLER, write_api_package
from drills.aws.clients import CREDENTIALS, REGION, aws_client
from drills.aws.declaration import Declaration
from drills.aws.event_source_mapping import EventSourceMapping, MappingSettings
from drills.aws.execution_environment import FunctionSettings
from drills.aws.function import LambdaFunction
from drills.aws.http_api import HttpApi
from drills.aws.ministack import Ministack
from drills.aws.sqs_queue import SqsQueue
from drills.aws.stack import Stack
from drills.supervisor import Runs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

API_TIMEOUT_S = 29.0  # providers/aws/serverless.yml: provider.timeout
_API_CONCURRENCY = 8  # Lambda's would be the account's


class LocalAws(Runs):
    """Everything between an upload to the bucket and its row in the table. Between `start` and `stop` it works.

    Attributes:
        function: The Lambda function, for its counts and direct invocations.
        mapping: Feeds the function from the work queue; stop it to hold messages back.
        api: The HTTP API, in front of a function of its own; None where the cloud is alone.
        environment: What the functions see; also lets other programs, such as the operator's commands, reach it.
    """

    bucket: str
    table: str
    work_queue: SqsQueue
    parked_queue: SqsQueue
    function: LambdaFunction
    mapping: EventSourceMapping
    api: HttpApi | None
    environment: dict[str, str]

    def __init__(
        self, declaration: Declaration, *, folder: Path, task_root: Path, among: AmongOthers | None = None
    ) -> None:
        """Describe a local AWS.

        Args:
            declaration: What to run.
            folder: Holds the emulator's data and all logs; new, empty, or of an earlier run.
            task_root: Holds the function's code, as it would be unpacked in Lambda.
            among: Through whose doors its functions and its poller go, if it is one of several clouds.
        """
        self.ministack = Ministack(folder)
        self.s3: S3Client = aws_client("s3", endpoint_url=self.ministack.endpoint_url)
        self.sqs: SQSClient = aws_client("sqs", endpoint_url=self.ministack.endpoint_url)
        self.dynamodb: DynamoDBClient = aws_client("dynamodb", endpoint_url=self.ministack.endpoint_url)
        self._declaration = declaration
        self._folder = folder
        self._task_root = task_root
        self._doors = among.doors if among else None
        self._settings = dict(among.environment) if among else {}
        self._polled_through = self.sqs
        if self._doors is not None:
            for door in (self._doors.store, self._doors.queue, self._doors.ledger):
                door.upstream_port = self.ministack.port
            self._polled_through = aws_client("sqs", endpoint_url=self._doors.queue.url)

    def start(self) -> None:
        """Start the emulator, create the resources, and start to work off the queue."""
        self.ministack.start()
        try:
            self._deploy(Stack.create(self._declaration, endpoint_url=self.ministack.endpoint_url))
        except BaseException:
            self.ministack.stop()
            raise
        self.start_compute()

    def stop(self) -> None:
        """Finish the running batches and stop everything that was started."""
        try:
            self.stop_compute()
        finally:
            for client in (self.s3, self.sqs, self.dynamodb, self._polled_through):
                client.close()
            self.ministack.stop()

    def start_compute(self) -> None:
        """Let the functions run: poll the queue, and serve the API."""
        self.mapping.start()
        if self._doors is not None:
            self.api = HttpApi(self._api_function)
            self.api.start()
            self._doors.api.upstream_port = self.api.port

    def stop_compute(self) -> None:
        """Finish the running batches, and run no function until `start_compute`."""
        try:
            self.mapping.stop()
        finally:
            if self.api is not None:
                self.api.stop()
                self._api_function.close()
            self.api = None
            self.function.close()

    def redeploy(self, environment: Mapping[str, str]) -> None:
        """Start new execution environments with this environment, and drop the warm ones of `process`."""
        self.environment.clear()
        self.environment.update(environment)
        self.function.close()

    @property
    def endpoints(self) -> dict[str, str]:
        """Where what answers."""
        api = {"HTTP API": self._doors.api.url} if self._doors else {}
        return {**api, "S3, SQS, DynamoDB, CloudFormation": self.ministack.endpoint_url}

    def restart(self) -> None:
        """Take all AWS services away for a moment; data and addresses stay, warm functions stay."""
        self.ministack.stop()
        self.ministack.start()

    def _deploy(self, stack: Stack) -> None:
        self.bucket = stack.bucket
        self.table = stack.table
        self.work_queue = SqsQueue(sqs=self.sqs, url=stack.work_queue_url, arn=stack.work_queue_arn)
        self.parked_queue = SqsQueue(sqs=self.sqs, url=stack.parked_queue_url, arn=stack.parked_queue_arn)
        self.environment = self._environment(stack)
        declared, log_folder = self._declaration, self._folder / "functions"
        mapping_settings = MappingSettings(
            queue_url=self._through_door(self.work_queue.url),
            queue_arn=self.work_queue.arn,
            batch_size=declared.batch_size,
            batching_window_s=declared.batching_window_s,
            maximum_concurrency=declared.maximum_concurrency,
            reports_item_failures=declared.reports_item_failures,
        )
        self.function = LambdaFunction(self._function_settings(), log_folder=log_folder)
        self.mapping = EventSourceMapping(mapping_settings, function=self.function, sqs=self._polled_through)
        self.api = None
        if self._doors is not None:
            self._api_function = LambdaFunction(self._api_settings(), log_folder=log_folder)

    def _environment(self, stack: Stack) -> dict[str, str]:
        of_stack = dict(stack.function_environment)
        for name in ("SLUICE_WORK_QUEUE_URL", "SLUICE_PARKED_QUEUE_URL"):
            of_stack[name] = self._through_door(of_stack[name])
        region = {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
        return {**of_stack, **CREDENTIALS, **region, **self._endpoint_variables(), **self._settings}

    def _function_settings(self) -> FunctionSettings:
        declared = self._declaration
        return FunctionSettings(
            name=declared.function_name,
            handler=declared.handler,
            task_root=self._task_root,
            environment=self.environment,
            region=REGION,
            timeout_s=declared.timeout_s,
            memory_mib=declared.memory_mib,
            log_format=declared.log_format,
            maximum_concurrency=declared.maximum_concurrency,
        )

    def _api_settings(self) -> FunctionSettings:
        return replace(
            self._function_settings(),
            name=f"{self._declaration.function_name}-api",
            handler=HANDLER,
            task_root=write_api_package(self._folder / "api-package", task_root=self._task_root),
            timeout_s=API_TIMEOUT_S,
            maximum_concurrency=_API_CONCURRENCY,
        )

    def _endpoint_variables(self) -> dict[str, str]:
        if self._doors is None:
            return {"AWS_ENDPOINT_URL": self.ministack.endpoint_url}
        return {
            "AWS_ENDPOINT_URL": self.ministack.endpoint_url,  # of whatever has no door
            "AWS_ENDPOINT_URL_S3": self._doors.store.url,
            "AWS_ENDPOINT_URL_SQS": self._doors.queue.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self._doors.ledger.url,
        }

    def _through_door(self, queue_url: str) -> str:
        """The queue's address as the functions and the poller see it."""
        if self._doors is None:
            return queue_url
        return queue_url.replace(self.ministack.endpoint_url, self._doors.queue.url)
