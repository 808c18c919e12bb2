"""The host's HTTP front, before Microsoft's runtime: requests reach the HTTP function, and its answers come back."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from drills.azure.functions_host import FunctionsHost
from drills.supervisor import LOOPBACK
from providers.azure.package import host_json

APP = """
import json
import azure.functions as func

app = func.FunctionApp()

@app.function_name("api")
@app.route("{*path}", trigger_arg_name="request", methods=list(func.HttpMethod), auth_level=func.AuthLevel.ANONYMOUS)
def api(request: func.HttpRequest) -> func.HttpResponse:
    if "fail" in request.params:
        raise ValueError("a secret")
    if "bytes" in request.params:
        return func.HttpResponse(request.get_body(), status_code=207, headers={"X-Seen": request.headers["x-sent"]})
    route, query = dict(request.route_params), dict(request.params)
    return func.HttpResponse(json.dumps([request.method, request.url, route, query]))
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where the app is served."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "function_app.py").write_text(APP)
    (folder / "host.json").write_text(host_json(timeout_s=10, batch_count=1))
    host = FunctionsHost(folder, environment={"PYTHON_THREADPOOL_THREAD_COUNT": "4"}, log_folder=folder)
    host.start()
    assert host.http is not None
    yield host.http.port
    host.stop()


def ask(port: int, method: str, target: str, body: bytes = b"") -> tuple[int, str | None, bytes]:
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=10)) as connection:
        connection.request(method, target, body=body or None, headers={"X-Sent": "ü".encode().decode("latin-1")})
        answer = connection.getresponse()
        return answer.status, answer.getheader("x-seen"), answer.read()


def test_request_reaches_the_function(port: int) -> None:
    """Method, URL, the route's parameter and the query arrive."""
    status, _, body = ask(port, "DELETE", "/v1/uploads%20x/1?a=1&b=%C3%A4")

    assert status == 200
    assert json.loads(body) == [
        "DELETE",
        f"http://{LOOPBACK}:{port}/v1/uploads%20x/1?a=1&b=%C3%A4",
        {"path": "v1/uploads x/1"},
        {"a": "1", "b": "ä"},
    ]


def test_bytes_come_back_as_they_went(port: int) -> None:
    """Bodies are bytes both ways, of any kind; status and headers are the function's."""
    content = bytes(range(256)) * 1000

    status, seen, body = ask(port, "POST", "/?bytes=1", content)

    assert (status, seen, body) == (207, "ü".encode().decode("latin-1"), content)


def test_function_that_fails(port: int) -> None:
    """The answer is a 500 that tells nothing."""
    status, _, body = ask(port, "GET", "/?fail=1")

    assert (status, body) == (500, b"")


def test_head_has_no_body(port: int) -> None:
    """HEAD is answered as GET is, without the body, and the connection can go on."""
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=10)) as connection:
        for _ in range(2):
            connection.request("HEAD", "/x")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"")
