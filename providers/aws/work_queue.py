"""Messages in a standard queue of SQS."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.batches import batches
from core.errors import HandlingError, TransientError
from core.ports import Depth, Message
from providers.aws.errors import SDK_ERRORS, code_of, translate

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH_COUNT = 10
_BATCH_BYTES = 262_144  # of all bodies in a SendMessageBatch; 1 MiB since August 2025, but not on every queue

# A receipt that is no longer the latest, or whose message is gone ("Errors" of DeleteMessage, ChangeMessageVisibility).
_STALE_CODES = {"MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"}


class SqsWorkQueue:
    """One queue, by its URL."""

    def __init__(self, *, queue_url: str, client: "SQSClient") -> None:
        self._url = queue_url
        self._client = client
        self._subject = f"queue {queue_url.rpartition('/')[2]}"

    def send(self, bodies: Sequence[str]) -> None:
        for batch in batches(bodies, max_count=_BATCH_COUNT, max_bytes=_BATCH_BYTES):
            try:
                answer = self._client.send_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)],
                )
            except SDK_ERRORS as error:
                raise translate(error, operation="SQS SendMessageBatch", subject=self._subject) from error
            failed = answer.get("Failed", [])
            if failed:
                codes = ", ".join(sorted({entry["Code"] for entry in failed}))
                kind = HandlingError if any(entry["SenderFault"] for entry in failed) else TransientError
                raise kind(
                    f"AWS SQS SendMessageBatch of {self._subject}: {len(failed)} of {len(batch)} failed: {codes}"
                )

    def receive(self, *, limit: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        try:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=visibility_timeout_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        except SDK_ERRORS as error:
            raise translate(error, operation="SQS ReceiveMessage", subject=self._subject) from error
        return [
            Message(
                message_id=message["MessageId"],
                body=message["Body"],
                receipt=message["ReceiptHandle"],
                receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
            )
            for message in answer.get("Messages", [])
        ]

    def acknowledge(self, message: Message) -> None:
        if not message.receipt:
            return  # a direct invocation: no queue has it
        try:
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)
        except SDK_ERRORS as error:
            if code_of(error) not in _STALE_CODES:
                raise translate(error, operation="SQS DeleteMessage", subject=self._subject) from error

    def extend(self, message: Message, *, visibility_timeout_s: int) -> None:
        if not message.receipt:
            return  # as above
        try:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message.receipt, VisibilityTimeout=visibility_timeout_s
            )
        except SDK_ERRORS as error:
            if code_of(error) not in _STALE_CODES:
                raise translate(error, operation="SQS ChangeMessageVisibility", subject=self._subject) from error

    def depth(self) -> Depth:
        try:
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
        except SDK_ERRORS as error:
            raise translate(error, operation="SQS GetQueueAttributes", subject=self._subject) from error
        counts = answer["Attributes"]
        return Depth(
            visible_count=int(counts["ApproximateNumberOfMessages"]),
            in_flight_count=int(counts["ApproximateNumberOfMessagesNotVisible"]),
        )
