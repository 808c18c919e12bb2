"""The two files that Azure Functions wants at the root of a package, beside the folders of the project."""

import json
from collections.abc import Mapping
from pathlib import Path

# A name in `handlers` would not do: the runtime looks for exactly one FunctionApp in a module of this name. The API is
# imported when it is called, because a cold start of `process` should not pay for it. Not Azure's own WsgiMiddleware:
# it makes an exception of every answer from 500 on, so that our 503 would arrive as a 500 without body and headers.
# Open to everybody, because the API itself asks for a client's key or a peer's signature.
FUNCTION_APP = """\
import azure.functions as func

from handlers.azure_app import app

__all__ = ["app"]


@app.function_name("api")
@app.route("{*path}", trigger_arg_name="request", methods=list(func.HttpMethod), auth_level=func.AuthLevel.ANONYMOUS)
def api(request: func.HttpRequest) -> func.HttpResponse:
    from io import BytesIO
    from urllib.parse import urlsplit

    from handlers.api import app as wsgi_app
    from werkzeug.test import Client

    url, body = urlsplit(request.url), request.get_body()
    answer = Client(wsgi_app).open(
        url.path,
        query_string=url.query,
        method=request.method,
        headers=dict(request.headers),
        input_stream=BytesIO(body),  # not data=: that takes an empty body for none, whose length is then missing
        content_length=len(body),
    )
    return func.HttpResponse(answer.data, status_code=answer.status_code, headers=dict(answer.headers))
"""

# A backstop, far above the tries of an upload: outages are waited out in the queue, and each wait is a receive.
MAX_DEQUEUE_COUNT = 100


def host_json(*, timeout_s: int, batch_count: int) -> str:
    """The host's settings ("host.json reference", "Azure Queue storage trigger", Azure Functions documentation).

    The encoding is `none`, because with `base64` the host moves whatever is not base64 to the poison queue without a
    word, and senders do not agree; the function itself reads both.
    """
    minutes, seconds = divmod(timeout_s, 60)
    queues = {
        "batchSize": batch_count,
        "newBatchThreshold": 0,  # one batch at a time
        "maxDequeueCount": MAX_DEQUEUE_COUNT,
        "messageEncoding": "none",
        "maxPollingInterval": "00:00:02",
        "visibilityTimeout": "00:00:10",  # for a failure that set no wait of its own
    }
    settings = {
        "version": "2.0",
        "functionTimeout": f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}",
        "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
        "extensions": {"queues": queues, "http": {"routePrefix": ""}},
    }
    return json.dumps(settings, indent=2)


def root_files(*, timeout_s: int, batch_count: int) -> Mapping[str, str]:
    """Name and text of each file."""
    return {"function_app.py": FUNCTION_APP, "host.json": host_json(timeout_s=timeout_s, batch_count=batch_count)}


def write_root(folder: Path, *, timeout_s: int, batch_count: int) -> None:
    """Write both files into a package's folder."""
    for name, text in root_files(timeout_s=timeout_s, batch_count=batch_count).items():
        (folder / name).write_text(text)
