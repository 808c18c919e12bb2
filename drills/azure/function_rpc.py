"""The messages of FunctionRpc, the protocol between the Functions host and its language workers.

Microsoft's compiled ones: the wheel azure-functions-runtime-v1 carries them in a package `tests`, which is loaded here
under a name of its own.
"""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from typing import Any

_NAME = "azure_function_rpc"


def load() -> Any:
    """The protocol's messages, client stub and server base, as one module."""
    if _NAME not in sys.modules:
        found = importlib.metadata.distribution("azure-functions-runtime-v1").locate_file("tests/protos/__init__.py")
        path = Path(str(found))
        spec = importlib.util.spec_from_file_location(_NAME, path, submodule_search_locations=[str(path.parent)])
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = module
        spec.loader.exec_module(module)
        messages = sys.modules[f"{_NAME}.FunctionRpc_pb2"]
        for name in ("FunctionsMetadataRequest", "RetryContext", "RpcRetryOptions", "RpcTraceContext"):
            setattr(module, name, getattr(messages, name))
    return sys.modules[_NAME]
