"""AWS's prices as assumed, and what an upload or a month of waiting costs by them.

Prices are of us-east-1, without the free tier and without storage and traffic, as known on 2026-11-25 and not read from
the pages today: look before you rely on them. What is counted comes from drills/aws/cost.py; what is assumed says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

AS_OF = "2026-11-25"
_MILLION = 1_000_000
_MINUTES_OF_MONTH = 30 * 24 * 60
_GIB_OF_FUNCTION = 0.25  # providers/aws/serverless.yml: memory_mib

ASSUMED_UPLOAD_MS = 200  # of `process`, for one upload
ASSUMED_SWEEP_S = 5  # of `watch` in a cloud alone, each minute
WATCH_S = 58  # of `watch` among others, at most: its timeout
ASSUMED_LOG_BYTES = 1_000  # for one upload
_IDLE_POLLS_OF_MINUTE = 15  # five pollers with polls of 20 s ("Using Lambda with Amazon SQS", Lambda Developer Guide)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What `per` of something costs.

    Attributes:
        page: Of aws.amazon.com, where it stands.
    """

    usd: float
    per: int = _MILLION
    page: str

    def __str__(self) -> str:
        return f"{self.usd:g} {'a million' if self.per == _MILLION else 'each'}"


PRICES: Mapping[str, Price] = {
    "S3 PUT and LIST": Price(usd=5.00, page="s3/pricing"),
    "S3 GET": Price(usd=0.40, page="s3/pricing"),
    "SQS request": Price(usd=0.40, page="sqs/pricing"),
    "DynamoDB write unit": Price(usd=0.625, page="dynamodb/pricing/on-demand"),
    "DynamoDB read unit": Price(usd=0.125, page="dynamodb/pricing/on-demand"),
    "Lambda call": Price(usd=0.20, page="lambda/pricing"),
    "Lambda GB-second": Price(usd=16.6667, page="lambda/pricing"),
    "HTTP API request": Price(usd=1.00, page="api-gateway/pricing"),
    "log GB": Price(usd=0.50, per=1, page="cloudwatch/pricing"),
    "alarm and month": Price(usd=0.10, per=1, page="cloudwatch/pricing"),
    "secret and month": Price(usd=0.40, per=1, page="secrets-manager/pricing"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an estimate.

    Attributes:
        count: Of what `price` names.
        origin: "counted" or "assumed".
    """

    what: str
    count: float
    price: str
    origin: str

    @property
    def usd(self) -> float:
        return self.count * PRICES[self.price].usd / PRICES[self.price].per


def upload_lines(counted: Mapping[str, float], *, messages_of_call: int) -> list[Line]:
    """What a million uploads cost that are put into the bucket, or straight to it by a presigned URL.

    Args:
        counted: Requests and units of one upload, by names of `PRICES`.
        messages_of_call: How many messages Lambda hands over at once; one where there is little to do.
    """
    of_queue = 1 + 2 / messages_of_call  # S3 sends; Lambda receives and deletes in batches
    gb_seconds = _GIB_OF_FUNCTION * ASSUMED_UPLOAD_MS / 1000
    return [
        Line(what="put by the client", count=_MILLION, price="S3 PUT and LIST", origin="one by definition"),
        *(Line(what="pipeline", count=_MILLION * n, price=name, origin="counted") for name, n in counted.items()),
        Line(what="send, receive, delete", count=_MILLION * of_queue, price="SQS request", origin="by AWS's pages"),
        Line(what="process", count=_MILLION / messages_of_call, price="Lambda call", origin="by AWS's pages"),
        Line(what="process", count=_MILLION * gb_seconds, price="Lambda GB-second", origin="assumed"),
        Line(what="logs", count=_MILLION * ASSUMED_LOG_BYTES / 1e9, price="log GB", origin="assumed"),
    ]


def month_lines(counted: Mapping[str, float], *, is_alone: bool) -> list[Line]:
    """What a month costs without any upload, in a bucket so full that each minute's sweep takes all that it may.

    Args:
        counted: Requests and units of one minute's upkeep, by names of `PRICES`.
        is_alone: Whether it has no peers; with some, `watch` looks at them all the time.
    """
    seconds = _MINUTES_OF_MONTH * (ASSUMED_SWEEP_S if is_alone else WATCH_S)
    origin = "assumed" if is_alone else "at most"
    polls = _MINUTES_OF_MONTH * _IDLE_POLLS_OF_MINUTE
    lines = [
        *(Line(what="sweep", count=_MINUTES_OF_MONTH * n, price=name, origin="counted") for name, n in counted.items()),
        Line(what="empty queue", count=polls, price="SQS request", origin="by AWS's pages"),
        Line(what="watch", count=_MINUTES_OF_MONTH, price="Lambda call", origin="by definition"),
        Line(what="watch", count=seconds * _GIB_OF_FUNCTION, price="Lambda GB-second", origin=origin),
        Line(what="alarms", count=2, price="alarm and month", origin="by definition"),
    ]
    return (
        lines
        if is_alone
        else [*lines, Line(what="peer keys", count=1, price="secret and month", origin="by definition")]
    )
