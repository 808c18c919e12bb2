"""The Functions host's HTTP front: each request is one invocation of the app's HTTP function.

Source: "Azure Functions HTTP trigger" (230 s until the load balancer gives up) and the protocol's RpcHttp. Not here:
function keys (whoever asks is let in), several routes, cookies as a field of their own.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from drills.azure.language_worker import FunctionFailedError
from drills.http_front import HttpAnswer, HttpFront, HttpRequest
from drills.supervisor import LOOPBACK

TIMEOUT_S = 230.0
_FAILED = HttpAnswer(status=500, headers={}, body=b"")  # the host tells nothing of it


class HttpTrigger(HttpFront):
    """Invokes one function; from `start` to `stop`."""

    def __init__(self, ask: Callable[[HttpRequest], Any]) -> None:
        """`ask` invokes the function, gives what it returns as an RpcHttp, and raises FunctionFailedError."""
        super().__init__(self.answer)
        self._ask = ask

    def answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            given = self._ask(request)
            return HttpAnswer(status=int(given.status_code), headers=given.headers, body=_bytes_of(given.body))
        except (FunctionFailedError, ValueError):
            return _FAILED


def to_rpc(request: HttpRequest, rpc: Any) -> Any:
    """The request as the host sends it to a worker that asks for raw bodies, as Microsoft's for Python does."""
    path, _, query = request.target.removeprefix("/").partition("?")
    http = rpc.RpcHttp(
        method=request.method,
        url=f"http://{request.headers.get('host', LOOPBACK)}{request.target}",
        headers=request.headers,
        params={"path": unquote(path)},
        query=dict(parse_qsl(query, keep_blank_values=True)),
        body=rpc.TypedData(bytes=request.body),
    )
    return rpc.TypedData(http=http)


def _bytes_of(data: Any) -> bytes:
    match data.WhichOneof("data"):
        case "bytes":
            return bytes(data.bytes)
        case "string" | "json" as kind:
            return str(getattr(data, kind)).encode()
        case None:
            return b""
        case kind:
            raise ValueError(f"a body of the kind {kind}")
