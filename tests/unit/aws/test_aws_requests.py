"""What no local server enforces of a request: the size of a batch, and the consistency of a read."""

from typing import Any

import pytest

from core.errors import HandlingError, TransientError
from providers.aws.ledger import DynamoLedger
from providers.aws.work_queue import SqsWorkQueue


class RecordingClient:
    """Answers every call with the same, and keeps what was asked."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answer = answer

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> dict[str, Any]:
            self.requests.append(request)
            return self._answer

        return call


def queue_of(client: Any) -> SqsWorkQueue:
    return SqsWorkQueue(queue_url="https://sqs.example/1/work", client=client)


def test_batches_keep_to_both_limits() -> None:
    """No batch has more than 10 messages, or more than 262,144 bytes, and the order is kept."""
    client = RecordingClient({})
    bodies = ["x"] * 25 + ["\u65e5" * 16_000] * 12 + ["y" * 262_144]

    queue_of(client).send(bodies)

    batches = [[entry["MessageBody"] for entry in request["Entries"]] for request in client.requests]
    assert [body for batch in batches for body in batch] == bodies
    assert [len(batch) for batch in batches] == [10, 10, 10, 5, 2, 1]
    assert all(sum(len(body.encode()) for body in batch) <= 262_144 for batch in batches)


@pytest.mark.parametrize(("is_senders", "kind"), [(False, TransientError), (True, HandlingError)])
def test_batch_that_failed_in_part_raises(is_senders: bool, kind: type[Exception]) -> None:
    """A status of 200 with failed entries is a failure, blamed as SQS does."""
    failed = {"Id": "1", "Code": "InternalError", "SenderFault": is_senders, "Message": "secret"}

    with pytest.raises(kind, match="1 of 2 failed: InternalError") as caught:
        queue_of(RecordingClient({"Failed": [failed]})).send(["a", "b"])

    assert "secret" not in str(caught.value)


def test_ledger_reads_are_consistent() -> None:
    """Both kinds of read ask for strong consistency."""
    client: Any = RecordingClient({"Items": []})
    ledger = DynamoLedger(table="table", client=client)

    ledger.get("k")
    ledger.page()

    assert [request["ConsistentRead"] for request in client.requests] == [True, True]
