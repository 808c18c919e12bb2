"""The local AWS runs what the deployment declares, and keeps its data over an outage."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drills.aws.cloud import LocalAws
from drills.aws.declaration import Declaration, read_declaration
from drills.waiting import wait_until

PROJECT_FOLDER = Path(__file__).resolve().parent.parent.parent

# Writes down the keys that it is told of, and the names that it was given.
DIARIST = """
import json, os, pathlib

def handler(event, context):
    with pathlib.Path(os.environ["FOLDER"], "diary").open("a") as diary:
        for message in event["Records"]:
            for record in json.loads(message["body"]).get("Records", []):
                told = {"bucket": record["s3"]["bucket"]["name"], "key": record["s3"]["object"]["key"]}
                diary.write(json.dumps(told | {"table": os.environ["SLUICE_LEDGER_TABLE"]}) + "\\n")
"""


@pytest.fixture(scope="module")
def declared() -> Declaration:
    return read_declaration(PROJECT_FOLDER)


@pytest.fixture
def aws(declared: Declaration, tmp_path: Path) -> Iterator[LocalAws]:
    """Give a local AWS whose function keeps a diary."""
    (tmp_path / "app.py").write_text(DIARIST)
    changed = replace(
        declared.with_visibility_timeout(2),
        handler="app.handler",
        environment={**declared.environment, "FOLDER": str(tmp_path)},
        maximum_concurrency=2,
    )
    with LocalAws(changed, folder=tmp_path / "aws", task_root=tmp_path) as local_aws:
        yield local_aws


def read_diary(folder: Path) -> list[dict[str, str]]:
    diary = folder / "diary"
    return [json.loads(line) for line in diary.read_text().splitlines()] if diary.exists() else []


def test_upload_reaches_the_function(aws: LocalAws, tmp_path: Path) -> None:
    """An object put into the declared bucket arrives at the function, which knows the resources' real names."""
    aws.s3.put_object(Bucket=aws.bucket, Key="dir/a b+ü.txt", Body=b"x")

    wait_until(lambda: read_diary(tmp_path), timeout_s=20, what="the function is told")

    assert read_diary(tmp_path) == [{"bucket": aws.bucket, "key": "dir/a+b%2B%C3%BC.txt", "table": aws.table}]


def test_declared_settings_hold(aws: LocalAws, declared: Declaration) -> None:
    """The queue has the visibility timeout asked for, and otherwise what is declared."""
    attributes = aws.sqs.get_queue_attributes(QueueUrl=aws.work_queue.url, AttributeNames=["All"])["Attributes"]

    properties = declared.resources[declared.queue_id]["Properties"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert attributes["VisibilityTimeout"] == "2"
    assert attributes["MessageRetentionPeriod"] == str(properties["MessageRetentionPeriod"])
    assert redrive["deadLetterTargetArn"] == aws.parked_queue.arn
    assert int(redrive["maxReceiveCount"]) == properties["RedrivePolicy"]["maxReceiveCount"]


def test_data_survives_an_outage(aws: LocalAws, tmp_path: Path) -> None:
    """After a restart of all services, objects, rows and waiting messages are there, and work goes on by itself."""
    wait_until(lambda: aws.work_queue.message_count == 0, timeout_s=20, what="S3's test events are worked off")
    aws.mapping.stop()
    aws.s3.put_object(Bucket=aws.bucket, Key="before", Body=b"x")
    aws.dynamodb.put_item(TableName=aws.table, Item={"upload_id": {"S": "row"}})
    wait_until(lambda: aws.work_queue.message_count == 1, timeout_s=10, what="the event waits")

    aws.restart()
    waiting_count = aws.work_queue.message_count
    aws.mapping.start()
    wait_until(lambda: read_diary(tmp_path), timeout_s=20, what="the function is told")

    assert waiting_count == 1
    assert aws.s3.get_object(Bucket=aws.bucket, Key="before")["Body"].read() == b"x"
    assert "Item" in aws.dynamodb.get_item(TableName=aws.table, Key={"upload_id": {"S": "row"}})


def test_mapping_outlasts_an_outage(aws: LocalAws, tmp_path: Path) -> None:
    """The pollers go on by themselves after services were away."""
    aws.restart()

    aws.s3.put_object(Bucket=aws.bucket, Key="after", Body=b"x")
    wait_until(lambda: read_diary(tmp_path), timeout_s=20, what="the function is told")

    assert [entry["key"] for entry in read_diary(tmp_path)] == ["after"]
