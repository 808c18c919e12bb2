"""What uploads cost on AWS: the requests of the real pipeline, counted on an emulator, times prices that are assumed.

    .venv/bin/python -m drills.aws.cost

Counted are the requests of `process` and of a minute's upkeep, with the adapters and clients of the functions. What AWS
itself does around them (events, polls, calls) is by its documentation, and how long functions run is assumed.
"""

import io
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import botocore.session

from core.ports import Cloud
from core.upkeep import Upkeep
from drills.aws.clients import CREDENTIALS, REGION
from drills.aws.ministack import Ministack
from drills.aws.prices import AS_OF, PRICES, Line, month_lines, upload_lines
from drills.text_table import format_table
from handlers.settings import read_settings
from handlers.wiring import clock_ms, make_worker
from providers.aws.clients import settings
from providers.aws.events import messages_of, notification_event, parse
from providers.aws.ledger import DynamoLedger
from providers.aws.object_store import S3ObjectStore
from providers.aws.work_queue import SqsWorkQueue

UPLOAD_COUNT = 600  # more than a minute's sweep takes
_KIB = 1024
_PRICE_OF = {
    "GetObject": "S3 GET",
    "ListObjectVersions": "S3 PUT and LIST",
    "PutItem": "DynamoDB write unit",
    "GetItem": "DynamoDB read unit",
}


class CountedAws:
    """The services of one deployment on an emulator, and what was asked of them.

    Attributes:
        asked: Requests by operation, since it was last cleared.
    """

    def __init__(self, endpoint_url: str) -> None:
        self.asked: Counter[str] = Counter()
        clients = {service: self._client(service, endpoint_url) for service in ("s3", "dynamodb", "sqs")}
        self.clients = clients
        clients["s3"].create_bucket(Bucket="cost")
        clients["s3"].put_bucket_versioning(Bucket="cost", VersioningConfiguration={"Status": "Enabled"})
        queue = SqsWorkQueue(queue_url=clients["sqs"].create_queue(QueueName="cost")["QueueUrl"], client=clients["sqs"])
        self.cloud = Cloud(
            store=S3ObjectStore(bucket="cost", client=clients["s3"]),
            ledger=self._table("ledger"),
            work=queue,
            parked=queue,
            control=self._table("control"),
        )

    def upload(self, count: int) -> None:
        """Put objects, and work them off one message at a time."""
        worker = make_worker(
            cloud="aws", connected=self.cloud, parse=parse, settings=read_settings({"SLUICE_CLOUD": "aws"})
        )
        events = [notification_event(self._put(f"folder/file-{number}.txt"), bucket="cost") for number in range(count)]
        self.asked.clear()
        for event in events:
            worker.handle_batch(messages_of(event), concurrency=1, deadline_at_ms=clock_ms() + 60_000)

    def upkeep(self) -> None:
        """One minute's, an hour from now, when no object is too young to be looked at."""
        later = Upkeep(cloud="aws", services=self.cloud, others=(), clock_ms=lambda: clock_ms() + 3_600_000)
        self.asked.clear()
        later.run(stop_at_ms=clock_ms() + 2 * 3_600_000)

    def largest_row_bytes(self) -> int:
        """Of the ledger, as DynamoDB counts: names and values ("Item sizes and formats", Developer Guide)."""
        rows = self.clients["dynamodb"].scan(TableName="ledger")["Items"]
        return max(sum(len(name.encode()) + _size(value) for name, value in row.items()) for row in rows)

    def _put(self, key: str) -> Any:
        return self.cloud.store.put(key, io.BytesIO(b"hello\n"), size_bytes=6)

    def _table(self, name: str) -> DynamoLedger:
        self.clients["dynamodb"].create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "upload_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "upload_id", "KeyType": "HASH"}],
        )
        return DynamoLedger(table=name, client=self.clients["dynamodb"])

    def _client(self, service: str, endpoint_url: str) -> Any:
        client = botocore.session.get_session().create_client(
            service,
            endpoint_url=endpoint_url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=settings(service),
        )
        client.meta.events.register("before-send", self._note)
        return client

    def _note(self, event_name: str, **_: Any) -> None:
        self.asked[event_name.rpartition(".")[2]] += 1


def count(*, upload_count: int = UPLOAD_COUNT) -> tuple[dict[str, float], dict[str, float]]:
    """Count on an emulator of its own.

    Returns:
        Requests and units of one upload, and of one minute's upkeep, by names of `PRICES`.
    """
    with tempfile.TemporaryDirectory() as folder, Ministack(Path(folder)) as emulator:
        aws = CountedAws(emulator.endpoint_url)
        aws.upload(upload_count)
        asked = aws.asked.copy()
        of_upload = _units(asked, of=upload_count, row_bytes=aws.largest_row_bytes())
        aws.upkeep()
        return of_upload, _units(aws.asked, of=1, row_bytes=_KIB)


def report(of_upload: Mapping[str, float], of_minute: Mapping[str, float]) -> str:
    """The estimates as text, as docs/deploy/aws.md has them."""
    sections = {
        "A million uploads, one message in a call": upload_lines(of_upload, messages_of_call=1),
        "A million uploads, ten messages in a call": upload_lines(of_upload, messages_of_call=10),
        "A month without uploads, a cloud alone": month_lines(of_minute, is_alone=True),
        "A month without uploads, among others": month_lines(of_minute, is_alone=False),
    }
    return "\n\n".join(
        f"{title}: {_usd(sum(line.usd for line in lines))}\n{_table(lines)}" for title, lines in sections.items()
    )


def _table(lines: Sequence[Line]) -> str:
    head = ("what", "of", "count", "price", "USD", "count is")
    rows = [
        (line.what, line.price, f"{line.count:,.0f}", str(PRICES[line.price]), _usd(line.usd), line.origin)
        for line in lines
    ]
    return format_table([head, *rows], right_aligned=frozenset({2, 3, 4}))


def _units(asked: Counter[str], *, of: int, row_bytes: int) -> dict[str, float]:
    """Billed units by price. What has no price here is left out only if AWS bills nothing for it."""
    units: Counter[str] = Counter()
    for operation, request_count in asked.items():
        per_request = math.ceil(row_bytes / _KIB) if operation == "PutItem" else 1
        units[_PRICE_OF[operation]] += request_count * per_request
    return {price: unit_count / of for price, unit_count in units.items()}


def _size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    return (
        sum(len(k.encode()) + _size(v) for k, v in content.items()) + 3 if kind == "M" else len(str(content).encode())
    )


def _usd(amount: float) -> str:
    return f"{amount:,.2f}"


if __name__ == "__main__":
    print(f"Prices as of {AS_OF}, us-east-1, USD.\n")
    print(report(*count()))
    sys.exit(0)
