"""The host's side of one language worker: its process, its gRPC stream, and the invocations that it has not answered.

Protocol: azure-functions-language-worker-protobuf, FunctionRpc.EventStream. The host opens it, the worker connects.
"""

import json
import queue
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any

import grpc

from drills.azure import function_rpc
from drills.supervisor import LOOPBACK, SupervisedProcess

START_TIMEOUT_S = 30.0
_SHIM = Path(__file__).with_name("worker_shim.py")


class FunctionFailedError(Exception):
    """The function raised, ran out of time, or its worker died."""


class LanguageWorker:
    """One worker. When its process ends, what it had not answered fails."""

    def __init__(self, *, app_folder: Path, environment: Mapping[str, str], log_path: Path) -> None:
        """Start it, and load the functions of the folder.

        Raises:
            FunctionFailedError: The runtime could not load them; the message is its own.
        """
        self.rpc = function_rpc.load()
        self.functions: dict[str, Any] = {}
        self._outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting: dict[str, Future[Any]] = {"start_stream": Future()}
        self._lock = threading.Lock()
        self.is_lost = False
        self._server = grpc.server(
            ThreadPoolExecutor(2), options=[(f"grpc.max_{way}_message_length", -1) for way in ("receive", "send")]
        )
        self.rpc.add_FunctionRpcServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(f"{LOOPBACK}:0")
        self._server.start()
        command = [sys.executable, str(_SHIM), "--address", f"{LOOPBACK}:{port}", "--workerId", str(uuid.uuid4())]
        self.process = SupervisedProcess(
            command,
            name="functions worker",
            environment={
                **environment,
                "AzureWebJobsScriptRoot": str(app_folder),
                "FUNCTIONS_WORKER_RUNTIME": "python",
            },
            folder=app_folder,
            log_path=log_path,
            stop_timeout_s=2.0,
        )
        try:
            self._load(app_folder)
        except BaseException:
            self.close()
            raise

    def EventStream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        """For gRPC: the worker's messages come, ours go."""
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()
        while (message := self._outgoing.get()) is not None:
            yield message

    def invoke(self, name: str, *, inputs: Mapping[str, Any], metadata: Mapping[str, Any], timeout_s: float) -> Any:
        """Run a function once; returns what it returned, as a TypedData.

        Raises:
            FunctionFailedError: It did not return. After a timeout its worker is killed, as the host does it.
        """
        invocation_id = str(uuid.uuid4())
        request = self.rpc.InvocationRequest(
            invocation_id=invocation_id,
            function_id=self.functions[name].function_id,
            input_data=[self.rpc.ParameterBinding(name=key, data=data) for key, data in inputs.items()],
            trigger_metadata=metadata,
        )
        try:
            answer = self._ask(invocation_id, "invocation_request", request, timeout_s=timeout_s)
        except FutureTimeoutError as error:
            self.process.kill()
            raise FunctionFailedError("functionTimeout: the worker was killed") from error
        _require_success(answer.result)
        return answer.return_value

    def trigger_of(self, name: str) -> dict[str, Any]:
        """The trigger of a function, as the runtime declared it."""
        bindings = [json.loads(text) for text in self.functions[name].raw_bindings]
        return next(b for b in bindings if b["type"].lower().endswith("trigger"))

    def close(self) -> None:
        """Stop the worker; what runs fails."""
        self._outgoing.put(None)
        self.process.stop()
        self._server.stop(None).wait(5)
        self._lose()

    def _load(self, folder: Path) -> None:
        started = self._waiting["start_stream"]
        self.process.start()
        self.process.wait_ready(started.done, timeout_s=START_TIMEOUT_S)
        init = self.rpc.WorkerInitRequest(host_version="4.1037.0", function_app_directory=str(folder))
        answer = self._ask("worker_init_response", "worker_init_request", init, timeout_s=START_TIMEOUT_S)
        _require_success(answer.result)
        wanted = self.rpc.FunctionsMetadataRequest(function_app_directory=str(folder))
        found = self._ask("function_metadata_response", "functions_metadata_request", wanted, timeout_s=START_TIMEOUT_S)
        _require_success(found.result)
        for function in found.function_metadata_results:
            load = self.rpc.FunctionLoadRequest(function_id=function.function_id, metadata=function)
            answer = self._ask("function_load_response", "function_load_request", load, timeout_s=START_TIMEOUT_S)
            _require_success(answer.result)
            self.functions[function.name] = function

    def _ask(self, key: str, kind: str, content: Any, *, timeout_s: float) -> Any:
        future: Future[Any] = Future()
        with self._lock:
            if self.is_lost:
                raise FunctionFailedError("the worker is gone")
            self._waiting[key] = future
        self._outgoing.put(self.rpc.StreamingMessage(request_id=str(uuid.uuid4()), **{kind: content}))
        try:
            return future.result(timeout_s)
        finally:
            self._waiting.pop(key, None)

    def _read(self, requests: Iterator[Any]) -> None:
        try:
            for message in requests:
                kind = message.WhichOneof("content")
                content = getattr(message, kind)
                future = self._waiting.get(content.invocation_id if kind == "invocation_response" else kind)
                if future is not None and not future.done():
                    future.set_result(content)
        except grpc.RpcError:
            pass  # the worker's end of the stream is gone
        finally:
            self._lose()

    def _lose(self) -> None:
        with self._lock:
            self.is_lost = True
            waiting = list(self._waiting.values())
        for future in waiting:
            if not future.done():
                future.set_exception(FunctionFailedError("the worker exited"))
        self._outgoing.put(None)


def _require_success(result: Any) -> None:
    if result.status != 1:  # StatusResult.Success
        raise FunctionFailedError(f"{result.exception.message}\n{result.exception.stack_trace}")
