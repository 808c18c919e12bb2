"""Lambda's event source mapping for SQS: polls a queue, invokes a function with batches, deletes what succeeded.

Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS" and its pages "Creating and configuring an Amazon SQS
event source mapping", "Configuring scaling behavior" and "Handling errors for an SQS event source". Differences: one
poller per allowed concurrent invocation from the start, where Lambda begins with a few and adds; no back-off after
errors or throttles beyond the queue's own visibility timeout; no cut of a batch at 6 MB.
"""

import base64
import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.aws.function import LambdaFunction, ThrottledError
from drills.aws.runtime_api import FunctionError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Lambda waits up to 20 s; one second lets a drill stop quickly, and a message still wakes the poll at once.
_LONG_POLL_S = 1
_RECEIVE_LIMIT_COUNT = 10  # Amazon SQS API Reference, "ReceiveMessage"; also "DeleteMessageBatch"
_UNREACHABLE_PAUSE_S = 0.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSettings:
    """What a deployment declares about the mapping; defaults are Lambda's.

    Attributes:
        batching_window_s: How long to gather a batch, from its first message.
        reports_item_failures: FunctionResponseTypes contains ReportBatchItemFailures.
    """

    queue_url: str
    queue_arn: str
    batch_size: int = 10
    batching_window_s: float = 0.0
    maximum_concurrency: int = 5
    reports_item_failures: bool = False


class EventSourceMapping:
    """Runs from `start` to `stop`. Failures of SQS are outlasted; a defect in this class is raised by `stop`."""

    def __init__(self, settings: MappingSettings, *, function: LambdaFunction, sqs: "SQSClient") -> None:
        """Prepare the mapping.

        Args:
            sqs: A client with at least `maximum_concurrency` pooled connections.
        """
        self.settings = settings
        self._function = function
        self._sqs = sqs
        self._is_stopping = threading.Event()
        self._pollers: list[Future[None]] = []

    def start(self) -> None:
        """Begin to poll."""
        self._is_stopping.clear()
        count = self.settings.maximum_concurrency
        with_threads = ThreadPoolExecutor(max_workers=count, thread_name_prefix="sqs-poller")
        self._pollers = [with_threads.submit(self._poll) for _ in range(count)]
        with_threads.shutdown(wait=False)

    def stop(self) -> None:
        """Finish the running batches, then return."""
        self._is_stopping.set()
        pollers, self._pollers = self._pollers, []
        for poller in pollers:
            poller.result()

    def _poll(self) -> None:
        while not self._is_stopping.is_set():
            try:
                messages = self._gather_batch()
                if messages:
                    self._delete(succeeded_messages(messages, self._invoke(messages)))
            except (BotoCoreError, ClientError) as error:
                _log.info("queue %s: %s", self.settings.queue_arn, error)
                self._is_stopping.wait(_UNREACHABLE_PAUSE_S)

    def _gather_batch(self) -> "list[MessageTypeDef]":
        """Receive up to a batch; begin no further receive after the batching window has ended."""
        messages = self._receive(self.settings.batch_size, wait_s=_LONG_POLL_S)
        window_ends_s = time.monotonic() + self.settings.batching_window_s
        while messages and len(messages) < self.settings.batch_size and time.monotonic() < window_ends_s:
            messages += self._receive(self.settings.batch_size - len(messages), wait_s=_LONG_POLL_S)
        return messages

    def _receive(self, count: int, *, wait_s: int) -> "list[MessageTypeDef]":
        answer = self._sqs.receive_message(
            QueueUrl=self.settings.queue_url,
            MaxNumberOfMessages=min(count, _RECEIVE_LIMIT_COUNT),
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _invoke(self, messages: "Sequence[MessageTypeDef]") -> frozenset[str]:
        """Run the function with one batch; return the ids of the messages that failed."""
        region = self._function.settings.region
        records = [event_record(message, queue_arn=self.settings.queue_arn, region=region) for message in messages]
        message_ids = frozenset(message["MessageId"] for message in messages)
        try:
            outcome = self._function.invoke(json.dumps({"Records": records}).encode())
        except ThrottledError:
            return message_ids
        if isinstance(outcome.outcome, FunctionError):
            _log.info("%s: %s", self._function.settings.name, outcome.outcome)
            return message_ids
        if not self.settings.reports_item_failures:
            return frozenset()
        return failed_message_ids(outcome.outcome, batch=message_ids)

    def _delete(self, messages: "Sequence[MessageTypeDef]") -> None:
        for start in range(0, len(messages), _RECEIVE_LIMIT_COUNT):
            chunk = messages[start : start + _RECEIVE_LIMIT_COUNT]
            answer = self._sqs.delete_message_batch(
                QueueUrl=self.settings.queue_url,
                Entries=[{"Id": str(index), "ReceiptHandle": m["ReceiptHandle"]} for index, m in enumerate(chunk)],
            )
            for failure in answer.get("Failed", []):
                _log.warning("queue %s: not deleted: %s", self.settings.queue_arn, failure)


def succeeded_messages(messages: "Sequence[MessageTypeDef]", failed_ids: frozenset[str]) -> "list[MessageTypeDef]":
    """Return the messages to delete. The others stay hidden until their visibility timeout ends."""
    return [message for message in messages if message["MessageId"] not in failed_ids]


def failed_message_ids(response: bytes, *, batch: frozenset[str]) -> frozenset[str]:
    """Read a ReportBatchItemFailures response.

    Source: Developer Guide, "Handling errors for an SQS event source", "Success and failure conditions". All succeeded:
    `null` or `{}`, a null or empty `batchItemFailures`. All failed: invalid JSON, an `itemIdentifier` that is
    null, empty, or named otherwise. An identifier that is not in the batch is not documented there; it is taken as a
    failure of the whole batch, the reading under which a faulty function cannot lose messages.
    """
    try:
        answer = json.loads(response)
    except ValueError:
        return batch
    if answer is None:
        return frozenset()
    if not isinstance(answer, dict):
        return batch
    match answer.get("batchItemFailures"):
        case None:
            return frozenset()
        case list(failures):
            named = frozenset(_item_identifier(failure) for failure in failures)
            return named if named <= batch else batch
        case _:
            return batch


def _item_identifier(failure: object) -> str:
    """Return the message id that one element names; "", which is no message's id, where it names none."""
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return identifier if isinstance(identifier, str) else ""


def event_record(message: "MessageTypeDef", *, queue_arn: str, region: str) -> dict[str, Any]:
    """Return one element of `Records`, as in the Developer Guide's example event of "Using Lambda with Amazon SQS"."""
    attributes = message.get("MessageAttributes", {})
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: _message_attribute(value) for name, value in attributes.items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    if attributes:
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return record


def _message_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return one message attribute in lower camel case, binary as base64, with the two lists that are always empty."""
    attribute: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return attribute
