"""The stand-in for API Gateway gives a function HTTP requests as Amazon's does, and makes HTTP of its answers."""

import http.client
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from drills.aws.function import LambdaFunction
from drills.aws.http_api import BODY_LIMIT_BYTES, EVENT_LIMIT_BYTES, HttpApi
from drills.supervisor import LOOPBACK

ECHO = """
import json
def handler(event, context):
    return {"statusCode": 207, "headers": {"X-Seen": "yes", "Connection": "close"}, "body": json.dumps(event)}
"""


@pytest.fixture
def serve(make_function: Callable[..., LambdaFunction]) -> Iterator[Callable[..., HttpApi]]:
    """Give `serve(source, timeout_s=…, maximum_concurrency=…)`: a running HTTP API of a function."""
    apis = []

    def start(source: str, *, timeout_s: float = 10.0, **declared: Any) -> HttpApi:
        apis.append(HttpApi(make_function(source, **declared), timeout_s=timeout_s))
        apis[-1].start()
        return apis[-1]

    yield start

    for api in apis:
        api.stop()


def ask(api: HttpApi, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection(LOOPBACK, api.port, timeout=20)) as connection:
        connection.request(
            method, target, body=body or None, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_request_becomes_an_event(serve: Callable[..., HttpApi]) -> None:
    """Path, query, headers, cookies and text arrive in payload format 2.0."""
    status, headers, body = ask(
        serve(ECHO), "PUT", "/v1/a%20b?x=1&x=2&y=", b'{"a": 1}', Content_Type="application/json", Cookie="a=1; b=2"
    )

    event = json.loads(body)
    assert (status, headers["x-seen"], "connection" in headers) == (207, "yes", False)
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/v1/a%20b", "x=1&x=2&y=")
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}
    assert (event["cookies"], "cookie" in event["headers"]) == (["a=1", "b=2"], False)
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    assert event["requestContext"]["http"]["method"] == "PUT"


def test_bytes_are_base64_both_ways(serve: Callable[..., HttpApi]) -> None:
    """What is no text goes in and comes back as base64."""
    source = """
def handler(event, context):
    return {"statusCode": 200, "body": event["body"], "isBase64Encoded": True}
"""
    content = bytes(range(256))

    assert ask(serve(source), "POST", "/", content, Content_Type="application/octet-stream")[2] == content


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("def handler(event, context):\n    raise ValueError('no')", 500),
        ("def handler(event, context):\n    return {'statusCode': 'none'}", 500),
        ("def handler(event, context):\n    return {'statusCode': 200, 'body': '!', 'isBase64Encoded': True}", 500),
        ("def handler(event, context):\n    return 'plain'", 200),
        ("import time\ndef handler(event, context):\n    time.sleep(20)", 503),
    ],
)
def test_answers_of_a_faulty_function(serve: Callable[..., HttpApi], source: str, status: int) -> None:
    """An error is a 500, no answer in time a 503, and neither tells anything of the function."""
    answered, _, body = ask(serve(source, timeout_s=3.0), "GET", "/")

    assert answered == status
    assert b"ValueError" not in body


def test_too_many_at_once(serve: Callable[..., HttpApi]) -> None:
    """Without a free environment the answer is a 503."""
    source = "import time\ndef handler(event, context):\n    time.sleep(1.5)\n    return {'statusCode': 200}"
    api = serve(source, maximum_concurrency=1)
    statuses: list[int] = []

    threads = [threading.Thread(target=lambda: statuses.append(ask(api, "GET", "/")[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 503]


@pytest.mark.parametrize("size_bytes", [BODY_LIMIT_BYTES + 1, EVENT_LIMIT_BYTES * 3 // 4])
def test_too_large(serve: Callable[..., HttpApi], size_bytes: int) -> None:
    """The gateway's own limit, and Lambda's, which base64 brings down to three quarters."""
    api = serve(ECHO)
    with closing(http.client.HTTPConnection(LOOPBACK, api.port, timeout=20)) as connection:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", str(size_bytes))
        connection.endheaders()
        if size_bytes <= BODY_LIMIT_BYTES:
            connection.send(b"\0" * size_bytes)

        assert connection.getresponse().status == 413


def test_client_that_leaves(serve: Callable[..., HttpApi], capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that is reset is no news, and no trace of it is printed."""
    api = serve(ECHO)
    with socket.create_connection((LOOPBACK, api.port), 5) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(b"GET /")

    status, _, _ = ask(api, "GET", "/")

    assert status == 207
    assert capsys.readouterr().err == ""
