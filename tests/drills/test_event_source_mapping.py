"""The SQS event source mapping deletes, keeps and repeats messages as Lambda documents."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drills.aws.event_source_mapping import EventSourceMapping, failed_message_ids
from drills.aws.function import LambdaFunction
from drills.aws.sqs_queue import SqsQueue
from drills.waiting import wait_until

MakeFunction = Callable[..., LambdaFunction]
StartMapping = Callable[..., EventSourceMapping]

# Appends each event to a file, then answers what the first message's body says: JSON, or an error to raise.
DIARIST = """
import json, os, pathlib, time

def handler(event, context):
    with pathlib.Path(os.environ["FOLDER"], "events").open("a") as diary:
        diary.write(json.dumps(event) + "\\n")
    command = event["Records"][0]["body"]
    if command == "raise":
        raise RuntimeError("as told")
    if command == "hang":
        time.sleep(60)
    if command == "fail even":
        return {"batchItemFailures": [
            {"itemIdentifier": record["messageId"]} for record in event["Records"][::2]
        ]}
    return json.loads(command)
"""

SLOW = "import time\ndef handler(event, context): time.sleep(0.2)"

BATCH = frozenset({"a", "b"})


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return the events that DIARIST has seen, oldest first."""
    diary = folder / "events"
    lines = diary.read_text().splitlines(keepends=True) if diary.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def bodies(events: list[dict[str, Any]]) -> list[str]:
    return [record["body"] for event in events for record in event["Records"]]


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        ("null", frozenset()),
        ("{}", frozenset()),
        ('{"other": 1}', frozenset()),
        ('{"batchItemFailures": null}', frozenset()),
        ('{"batchItemFailures": []}', frozenset()),
        ('{"batchItemFailures": [{"itemIdentifier": "a"}]}', frozenset("a")),
        ('{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "a"}]}', frozenset("a")),
        ('{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}', BATCH),
        ("not json", BATCH),
        ('"text"', BATCH),
        ("[]", BATCH),
        ('{"batchItemFailures": "a"}', BATCH),
        ('{"batchItemFailures": ["a"]}', BATCH),
        ('{"batchItemFailures": [null]}', BATCH),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', BATCH),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', BATCH),
        ('{"batchItemFailures": [{"itemIdentifier": ["a"]}]}', BATCH),
        ('{"batchItemFailures": [{"messageId": "a"}]}', BATCH),
        ('{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "unknown"}]}', BATCH),
    ],
)
def test_meaning_of_response(response: str, failed: frozenset[str]) -> None:
    """A response names the failed messages; one that cannot be understood means the whole batch."""
    assert failed_message_ids(response.encode(), batch=BATCH) == failed


def test_event_has_lambdas_shape(make_function: MakeFunction, start_mapping: StartMapping, queue: SqsQueue) -> None:
    """A record carries what Lambda's carries, under the same names and types."""
    queue.sqs.send_message(
        QueueUrl=queue.url,
        MessageBody="null",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "grüß dich"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    function = make_function(DIARIST)

    start_mapping(function)
    wait_until(lambda: queue.message_count == 0, timeout_s=10, what="the message is worked off")

    [event] = read_events(function.settings.task_root)
    [record] = event["Records"]
    assert set(record) == {
        "messageId",
        "receiptHandle",
        "body",
        "attributes",
        "messageAttributes",
        "md5OfBody",
        "md5OfMessageAttributes",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    }
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == queue.arn
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(record["attributes"])
    assert all(isinstance(value, str) for value in record["attributes"].values())
    lists: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert record["messageAttributes"] == {
        "text": {"stringValue": "grüß dich", "dataType": "String", **lists},
        "bytes": {"binaryValue": "AP8=", "dataType": "Binary", **lists},
    }


def test_only_reported_messages_come_back(
    make_function: MakeFunction, start_mapping: StartMapping, queue: SqsQueue
) -> None:
    """Of a batch, the messages not reported are deleted; the reported ones return with a higher receive count."""
    sent = send(queue, "fail even", "null", "null")
    function = make_function(DIARIST)

    start_mapping(function, maximum_concurrency=1)
    wait_until(lambda: len(read_events(function.settings.task_root)) >= 2, timeout_s=10, what="some come back")

    first, second = read_events(function.settings.task_root)[:2]
    assert [record["messageId"] for record in first["Records"]] == sent
    assert {record["messageId"] for record in second["Records"]} <= {sent[0], sent[2]}
    assert second["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"


@pytest.mark.parametrize("command", ["raise", "hang", '{"batchItemFailures": [{"itemIdentifier": "unknown"}]}'])
def test_failed_batch_is_parked_whole(
    command: str, make_function: MakeFunction, start_mapping: StartMapping, queue: SqsQueue, parked: SqsQueue
) -> None:
    """After an error, a timeout or a senseless answer nothing is deleted; after three receives it is parked."""
    send(queue, command, command)
    function = make_function(DIARIST, timeout_s=0.3)

    start_mapping(function, maximum_concurrency=1)
    wait_until(lambda: parked.message_count == 2, timeout_s=15, what="both messages are parked")

    receive_counts = [
        record["attributes"]["ApproximateReceiveCount"]
        for event in read_events(function.settings.task_root)
        for record in event["Records"]
    ]
    assert sorted(receive_counts) == ["1", "1", "2", "2", "3", "3"]
    assert queue.message_count == 0


def test_without_reporting_the_response_is_not_read(
    make_function: MakeFunction, start_mapping: StartMapping, queue: SqsQueue
) -> None:
    """Without ReportBatchItemFailures any response is a success of the whole batch."""
    send(queue, "fail even", "null")
    function = make_function(DIARIST)

    start_mapping(function, reports_item_failures=False)
    wait_until(lambda: queue.message_count == 0, timeout_s=10, what="all are deleted")

    assert function.counts.invocation == 1


def test_throttled_messages_are_not_lost(
    make_function: MakeFunction, start_mapping: StartMapping, queue: SqsQueue, parked: SqsQueue
) -> None:
    """With more pollers than environments each message is worked off, or parked after too many throttled receives."""
    function = make_function(SLOW, maximum_concurrency=1)
    send(queue, *["null"] * 4)

    start_mapping(function, maximum_concurrency=4, batch_size=1)
    wait_until(lambda: queue.message_count == 0, timeout_s=15, what="all are worked off or parked")

    assert function.counts.throttle > 0
    assert function.counts.most_concurrent == 1
    assert function.counts.invocation + parked.message_count == 4


def test_maximum_concurrency_is_reached_and_not_exceeded(
    make_function: MakeFunction, start_mapping: StartMapping, queue: SqsQueue
) -> None:
    """The mapping runs as many batches at once as declared, though the function would allow more."""
    function = make_function(SLOW, maximum_concurrency=8)
    send(queue, *["null"] * 12)

    start_mapping(function, maximum_concurrency=3, batch_size=1)
    wait_until(lambda: queue.message_count == 0, timeout_s=15, what="all are worked off")

    assert function.counts.most_concurrent == 3


def test_batching_window_gathers(make_function: MakeFunction, start_mapping: StartMapping, queue: SqsQueue) -> None:
    """With a window, messages that come one after another are handed over together; a full batch does not wait."""
    function = make_function(DIARIST)
    start_mapping(function, maximum_concurrency=1, batch_size=3, batching_window_s=30)

    started_s = time.monotonic()
    for _ in range(3):
        send(queue, "null")
    wait_until(lambda: queue.message_count == 0, timeout_s=15, what="all are worked off")

    assert bodies(read_events(function.settings.task_root)) == ["null"] * 3
    assert function.counts.invocation == 1
    assert time.monotonic() - started_s < 15


def test_stop_finishes_the_running_batch(
    make_function: MakeFunction, start_mapping: StartMapping, queue: SqsQueue
) -> None:
    """A stopped mapping has answered for what it took, takes nothing more, and can be started again."""
    function = make_function(SLOW)
    mapping = start_mapping(function, maximum_concurrency=1, batch_size=1)
    send(queue, "null")
    wait_until(lambda: function.counts.most_concurrent == 1, timeout_s=10, what="the batch runs")

    mapping.stop()
    after_stop_count = queue.message_count
    send(queue, "null")
    mapping.start()
    wait_until(lambda: queue.message_count == 0, timeout_s=10, what="the second one is worked off")

    assert after_stop_count == 0
    assert function.counts.invocation == 2


def send(queue: SqsQueue, *message_bodies: str) -> list[str]:
    """Send up to ten messages in one call; return their ids."""
    entries: list[Any] = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(message_bodies)]
    answer = queue.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries[:10])
    ids = [sent["MessageId"] for sent in answer["Successful"]]
    return ids + (send(queue, *message_bodies[10:]) if message_bodies[10:] else [])
