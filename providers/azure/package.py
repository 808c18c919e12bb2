"""The two files that Azure Functions wants at the root of a package, beside the folders of the project."""

import json
from pathlib import Path

# A name in `handlers` would not do: the runtime looks for exactly one FunctionApp in a module of this name.
FUNCTION_APP = "from handlers.azure_app import app\n\n__all__ = ['app']\n"

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


def write_root(folder: Path, *, timeout_s: int, batch_count: int) -> None:
    """Write both files into a package's folder."""
    (folder / "function_app.py").write_text(FUNCTION_APP)
    (folder / "host.json").write_text(host_json(timeout_s=timeout_s, batch_count=batch_count))
