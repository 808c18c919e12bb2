"""What no local server answers as S3 does: a listing of keys that XML cannot hold."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import botocore.session
import pytest

from core.ports import ObjectInfo
from providers.aws.clients import settings
from providers.aws.object_store import S3ObjectStore

# As with encoding-type=url ("ListObjectVersions", S3 API Reference), which the SDK asks for.
LISTING = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>in</Name><Prefix/><KeyMarker/><VersionIdMarker/><MaxKeys>2</MaxKeys><EncodingType>url</EncodingType>
  <IsTruncated>true</IsTruncated><NextKeyMarker>a%01b%EF%BF%BF</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>
  <Version><Key>a%01b%EF%BF%BF</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>
    <LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;0a&quot;</ETag><Size>7</Size></Version>
  <Version><Key>a%01b%EF%BF%BF</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>
    <LastModified>2026-01-01T03:04:05.000Z</LastModified><ETag>&quot;0b&quot;</ETag><Size>8</Size></Version>
</ListVersionsResult>"""


class _S3(BaseHTTPRequestHandler):
    paths: list[str]

    def do_GET(self) -> None:
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", str(len(LISTING)))
        self.end_headers()
        self.wfile.write(LISTING)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def s3() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _S3) as server:
        server.paths = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join(timeout=10)


def test_listing_decodes_keys_once(s3: HTTPServer) -> None:
    """Keys that XML cannot hold are listed as they are, and the listing goes on after them."""
    client = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3.server_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=settings("s3"),
    )
    store = S3ObjectStore(bucket="in", client=client)

    page = store.page(limit=2)
    store.page(after=page.after, limit=2)

    client.close()
    assert page.after == "a\x01b\uffff"
    assert page.objects == [
        ObjectInfo(key="a\x01b\uffff", version="v2", size_bytes=7, modified_at_ms=1_767_323_045_000)
    ]
    assert "encoding-type=url" in s3.paths[0]  # type: ignore[attr-defined]
    assert "key-marker=a%01b%EF%BF%BF" in s3.paths[1]  # type: ignore[attr-defined]
