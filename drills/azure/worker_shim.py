"""A language worker, as Microsoft's proxy_worker is one. Run as a script by `drills.azure.language_worker`.

Only the transport is here; indexing, binding conversion and invocation are Microsoft's azure_functions_runtime.
"""

import argparse
import asyncio
import importlib
import importlib.util
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_HERE = Path(__file__).resolve().parent


async def serve(address: str, worker_id: str) -> None:
    """Follow the host's stream until it ends."""
    import grpc

    rpc = _load_rpc()
    runtime = importlib.import_module("azure_functions_runtime")
    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options=limits) as channel:
        stream = rpc.FunctionRpcStub(channel).EventStream()
        await stream.write(rpc.StreamingMessage(start_stream=rpc.StartStream(worker_id=worker_id)))
        running = set()
        one_writer = asyncio.Lock()  # of several writes at once, gRPC loses all but one
        while (message := await stream.read()) is not grpc.aio.EOF:
            answering = _answer(message, stream, rpc, runtime, one_writer)
            if message.WhichOneof("content") != "invocation_request":
                await answering
                continue
            task = asyncio.create_task(answering)
            running.add(task)
            task.add_done_callback(running.discard)


async def _answer(message: Any, stream: Any, rpc: Any, runtime: Any, one_writer: asyncio.Lock) -> None:
    kind = message.WhichOneof("content")
    if kind == "worker_terminate":
        os._exit(0)
    if kind == "worker_init_request":
        folder = message.worker_init_request.function_app_directory
        sys.path.insert(0, folder)
        os.chdir(folder)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
        runtime.start_threadpool_executor()
    names = {
        "worker_init_request": "worker_init_response",
        "functions_metadata_request": "function_metadata_response",
        "function_load_request": "function_load_response",
        "invocation_request": "invocation_response",
    }
    if kind not in names:
        return
    request = SimpleNamespace(name=kind, request=message, properties={"protos": rpc, "host": "127.0.0.1"})
    answer = await getattr(runtime, kind)(request)
    async with one_writer:
        await stream.write(rpc.StreamingMessage(request_id=message.request_id, **{names[kind]: answer}))


def _load_rpc() -> Any:
    """As the host loads it. This script's own folder is no place from which the function may import."""
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != _HERE]
    spec = importlib.util.spec_from_file_location("function_rpc", _HERE / "function_rpc.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--workerId", required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.address, options.workerId))
