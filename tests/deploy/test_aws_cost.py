"""What an upload asks of AWS, counted, and that the documentation says the same."""

from pathlib import Path

import pytest

from drills.aws.cost import count, report
from drills.aws.prices import PRICES

ROOT = Path(__file__).parents[2]
UPLOAD_COUNT = 120


@pytest.fixture(scope="module")
def counted() -> tuple[dict[str, float], dict[str, float]]:
    """Of one upload, and of a minute's upkeep of a bucket with a few more than a page of objects."""
    return count(upload_count=UPLOAD_COUNT)


def test_upload_is_one_read_and_two_writes(counted: tuple[dict[str, float], dict[str, float]]) -> None:
    """The pipeline asks S3 once, and writes a row of up to 1 KiB twice."""
    of_upload, _ = counted

    assert of_upload == {"S3 GET": 1, "DynamoDB write unit": 2}


def test_sweep_reads_each_row_once(counted: tuple[dict[str, float], dict[str, float]]) -> None:
    """A minute's upkeep lists each page of 100, reads each object's row and its own, and writes its own."""
    _, of_minute = counted

    assert of_minute == {"S3 PUT and LIST": 2, "DynamoDB read unit": UPLOAD_COUNT + 1, "DynamoDB write unit": 1}


def test_documentation_has_the_figures(counted: tuple[dict[str, float], dict[str, float]]) -> None:
    """The tables of docs/deploy/aws.md are those that the counts give, with the sweep at its most: five pages."""
    of_upload, _ = counted
    at_most = {"DynamoDB read unit": 501.0, "S3 PUT and LIST": 5.0, "DynamoDB write unit": 1.0}

    documented = (ROOT / "docs/deploy/aws.md").read_text()

    for line in report(of_upload, at_most).splitlines():
        assert line in documented


def test_every_price_has_its_page() -> None:
    """No price stands without the page that may contradict it."""
    documented = (ROOT / "docs/deploy/aws.md").read_text()

    assert all(price.page in documented for price in PRICES.values())
