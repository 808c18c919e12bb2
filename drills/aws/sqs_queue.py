"""One SQS queue as a drill sees it: how much is in it. Nothing here receives, so nothing here hides a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_COUNTS: "Sequence[QueueAttributeNameType]" = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsQueue:
    """A queue that exists."""

    sqs: "SQSClient"
    url: str
    arn: str

    @property
    def message_count(self) -> int:
        """Messages that wait, are being worked on, or are delayed. Exact in ministack, approximate in SQS."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=list(_COUNTS))["Attributes"]
        return sum(int(attributes[name]) for name in _COUNTS)
