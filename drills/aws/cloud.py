"""The deployment, running on a local AWS: storage, queue and table emulated, `process` in Amazon's runtime client."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from drills.aws.clients import CREDENTIALS, REGION, aws_client
from drills.aws.declaration import Declaration
from drills.aws.event_source_mapping import EventSourceMapping, MappingSettings
from drills.aws.execution_environment import FunctionSettings
from drills.aws.function import LambdaFunction
from drills.aws.ministack import Ministack
from drills.aws.sqs_queue import SqsQueue
from drills.aws.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


class LocalAws:
    """Everything between an upload to the bucket and its row in the table. Between `start` and `stop` it works.

    Attributes:
        function: The Lambda function, for its counts and direct invocations.
        mapping: Feeds the function from the work queue; stop it to hold messages back.
        environment: What `process` sees; also lets other programs, such as `sls` or the operator's command, reach it.
    """

    bucket: str
    table: str
    work_queue: SqsQueue
    parked_queue: SqsQueue
    function: LambdaFunction
    mapping: EventSourceMapping
    environment: dict[str, str]

    def __init__(self, declaration: Declaration, *, folder: Path, task_root: Path) -> None:
        """Describe a local AWS.

        Args:
            declaration: What to run.
            folder: Holds the emulator's data and all logs; new, empty, or of an earlier run.
            task_root: Holds the function's code, as it would be unpacked in Lambda.
        """
        self.ministack = Ministack(folder)
        self.s3: S3Client = aws_client("s3", endpoint_url=self.ministack.endpoint_url)
        self.sqs: SQSClient = aws_client("sqs", endpoint_url=self.ministack.endpoint_url)
        self.dynamodb: DynamoDBClient = aws_client("dynamodb", endpoint_url=self.ministack.endpoint_url)
        self._declaration = declaration
        self._log_folder = folder / "functions"
        self._task_root = task_root

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the emulator, create the resources, and start to work off the queue."""
        self.ministack.start()
        try:
            self._deploy(Stack.create(self._declaration, endpoint_url=self.ministack.endpoint_url))
        except BaseException:
            self.ministack.stop()
            raise
        self.mapping.start()

    def stop(self) -> None:
        """Finish the running batches and stop everything that was started."""
        try:
            self.mapping.stop()
        finally:
            self.function.close()
            for client in (self.s3, self.sqs, self.dynamodb):
                client.close()
            self.ministack.stop()

    @property
    def endpoints(self) -> dict[str, str]:
        """Where what answers."""
        return {"S3, SQS, DynamoDB, CloudFormation": self.ministack.endpoint_url}

    def restart(self) -> None:
        """Take all AWS services away for a moment; data and addresses stay, warm functions stay."""
        self.ministack.stop()
        self.ministack.start()

    def _deploy(self, stack: Stack) -> None:
        self.bucket = stack.bucket
        self.table = stack.table
        self.work_queue = SqsQueue(sqs=self.sqs, url=stack.work_queue_url, arn=stack.work_queue_arn)
        self.parked_queue = SqsQueue(sqs=self.sqs, url=stack.parked_queue_url, arn=stack.parked_queue_arn)
        self.environment = {
            **stack.function_environment,
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.ministack.endpoint_url,
        }
        declared = self._declaration
        function_settings = FunctionSettings(
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
        mapping_settings = MappingSettings(
            queue_url=self.work_queue.url,
            queue_arn=self.work_queue.arn,
            batch_size=declared.batch_size,
            batching_window_s=declared.batching_window_s,
            maximum_concurrency=declared.maximum_concurrency,
            reports_item_failures=declared.reports_item_failures,
        )
        self.function = LambdaFunction(function_settings, log_folder=self._log_folder)
        self.mapping = EventSourceMapping(mapping_settings, function=self.function, sqs=self.sqs)
