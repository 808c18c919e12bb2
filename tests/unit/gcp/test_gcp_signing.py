"""Signed URLs, against those of Google's own library."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from google.cloud.storage._signing import generate_signed_url_v4
from google.oauth2 import service_account

from providers.gcp.signing import signed_url
from tests.contract.gcp_server import TestSigner

AT_MS = 1_795_496_497_337
HOST = "https://storage.googleapis.com"


@pytest.mark.parametrize("key", ["a/b.txt", "a b+c%/ü", "?a=b&c#d;e", "~tilde-_.", "folder//"])
@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("GET", {"generation": "1795495458531199"}, {}),
        ("PUT", {}, {"content-type": "text/plain", "content-length": "7", "x-goog-content-length-range": "7,7"}),
    ],
)
def test_url_is_the_one_of_googles_library(
    key: str, method: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    """Whatever the key, query and headers, both make the same URL, signature included."""
    signer = TestSigner()
    path = f"/bucket/{quote(key, safe='/~')}"
    arguments: dict[str, Any] = {"query": query, "headers": headers, "valid_s": 60, "at_ms": AT_MS, "signer": signer}

    ours = signed_url(method, HOST, path, **arguments)

    theirs = generate_signed_url_v4(
        service_account.Credentials(signer, signer.account(), "https://oauth2.invalid/token"),
        path,
        60,
        api_access_endpoint=HOST,
        method=method,
        headers=dict(headers),
        query_parameters=dict(query),
        _request_timestamp=f"{datetime.fromtimestamp(AT_MS // 1000, UTC):%Y%m%dT%H%M%SZ}",
    )
    assert ours == theirs
