"""Calls a function of an Azure app once, through Microsoft's runtime for Python, in this process and without a host.

Run as a script, by the Python whose azure-functions is tried:

    python azure_functions_in_process.py APP_FOLDER FUNCTION < {"id", "popReceipt", "dequeueCount", "body"}
    python azure_functions_in_process.py APP_FOLDER FUNCTION < what a timer's function is given

Prints {"azure_functions": version, "bindings": {function: [its bindings]}, "is_success", "error"}.
"""

import asyncio
import importlib.metadata
import json
import os
import sys
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.native_invocation import invocation_request_native


class Answer(SimpleNamespace):
    """Stands in for every message of the host's protocol, which a caller in the same process need not encode."""

    # StatusResult and BindingInfo: the numbers of FunctionRpc.proto that the runtime compares.
    Failure, Success = 0, 1
    undefined, out, inout = 0, 1, 2


class Protocol:
    """Gives the one stand-in for whatever message is asked for."""

    def __getattr__(self, name: str) -> type[Answer]:
        return Answer


async def call_once(folder: str, function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Index the folder's functions, and call one with a message of a queue, or as a timer does."""
    init = SimpleNamespace(capabilities={}, function_app_directory=folder)
    request = SimpleNamespace(
        properties={"protos": Protocol(), "host": "127.0.0.1"}, request=SimpleNamespace(worker_init_request=init)
    )
    runtime.start_threadpool_executor()
    answer = await runtime.worker_init_request(request)
    assert answer.result.status == Answer.Success, vars(answer.result.exception)
    found = await runtime.functions_metadata_request(request)
    functions = {one.name: one for one in found.function_metadata_results}
    inputs, metadata = call_of(given)
    is_success, _, _, error, _ = await invocation_request_native("1", functions[function].function_id, inputs, metadata)
    runtime.stop_threadpool_executor()
    return {
        "azure_functions": importlib.metadata.version("azure-functions"),
        "bindings": {name: [json.loads(text) for text in one.raw_bindings] for name, one in functions.items()},
        "is_success": is_success,
        "error": str(error),
    }


def call_of(given: dict[str, Any]) -> tuple[list[tuple[str, Datum]], dict[str, Datum]]:
    """The call's input and its metadata, as the host sends them."""
    if "body" not in given:
        return [("timer", Datum(json.dumps(given), "json"))], {}
    metadata = {
        "Id": Datum(given["id"], "string"),
        "PopReceipt": Datum(given["popReceipt"], "string"),
        "DequeueCount": Datum(json.dumps(given["dequeueCount"]), "json"),
    }
    return [("message", Datum(given["body"], "string"))], metadata


if __name__ == "__main__":
    sys.path[0] = os.path.abspath(sys.argv[1])  # as the host does: the app's folder, and not this script's
    os.chdir(sys.argv[1])
    print(json.dumps(asyncio.run(call_once(sys.argv[1], sys.argv[2], json.load(sys.stdin)))))
