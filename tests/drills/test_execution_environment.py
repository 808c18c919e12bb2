"""The Runtime API and the execution environment behave as Lambda documents, around Amazon's own runtime client."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drills.aws.execution_environment import ExecutionEnvironment, FunctionSettings, InvocationResult
from drills.aws.function import LambdaFunction, ThrottledError
from drills.aws.runtime_api import RESPONSE_LIMIT_BYTES, FunctionError
from drills.waiting import wait_until

MakeFunction = Callable[..., LambdaFunction]


def response(result: InvocationResult) -> object:
    assert isinstance(result.outcome, bytes), result.outcome
    return json.loads(result.outcome)


def error(result: InvocationResult) -> FunctionError:
    assert isinstance(result.outcome, FunctionError), result.outcome
    return result.outcome


def test_response_and_context(make_function: MakeFunction) -> None:
    """The handler sees the event, its name, its ARN, its memory and the time that it has left."""
    function = make_function(
        """
        def handler(event, context):
            return {
                "event": event,
                "name": context.function_name,
                "arn": context.invoked_function_arn,
                "memory": context.memory_limit_in_mb,
                "is_request_id": len(context.aws_request_id) == 36,
                "is_in_time": 9_000 < context.get_remaining_time_in_millis() <= 10_000,
            }
        """
    )

    result = function.invoke('{"greeting": "grüß dich 🦥"}'.encode())

    assert response(result) == {
        "event": {"greeting": "grüß dich 🦥"},
        "name": "process",
        "arn": "arn:aws:lambda:us-east-1:000000000000:function:process",
        "memory": "256",
        "is_request_id": True,
        "is_in_time": True,
    }


def test_warm_environment_is_reused(make_function: MakeFunction) -> None:
    """The second invocation meets the first one's process."""
    function = make_function("import os\ndef handler(event, context): return os.getpid()")

    first, second = function.invoke(b"{}"), function.invoke(b"{}")

    assert (first.is_cold, second.is_cold) == (True, False)
    assert response(first) == response(second)
    assert second.elapsed_ms < first.elapsed_ms
    assert function.counts.cold_start == 1


def test_raised_error_keeps_environment(make_function: MakeFunction) -> None:
    """An exception is a function error with its class and message, and costs no cold start."""
    function = make_function(
        """
        def handler(event, context):
            if event:
                raise KeyError("no such thing")
        """
    )

    failed, succeeded = function.invoke(b"[1]"), function.invoke(b"[]")

    assert error(failed) == FunctionError(error_type="KeyError", error_message="'no such thing'")
    assert response(succeeded) is None
    assert not succeeded.is_cold
    assert function.counts.error == 1


def test_handler_that_cannot_be_imported(make_function: MakeFunction) -> None:
    """An error at import is reported for each invocation, each with a new environment."""
    function = make_function("import no_such_module\ndef handler(event, context): return 1")

    results = [function.invoke(b"{}"), function.invoke(b"{}")]

    assert [error(result).error_type for result in results] == ["Runtime.ImportModuleError"] * 2
    assert "no_such_module" in error(results[0]).error_message
    assert function.counts.cold_start == 2


def test_timeout_kills_and_next_invocation_works(make_function: MakeFunction) -> None:
    """A handler over its timeout is killed with its process; the next invocation has a fresh one."""
    function = make_function(
        """
        import os, pathlib, time

        def handler(event, context):
            if event:
                pathlib.Path(os.environ["FOLDER"], "pid").write_text(str(os.getpid()))
                time.sleep(60)
            return os.getpid()
        """,
        timeout_s=0.5,
    )

    timed_out, fresh = function.invoke(b"[1]"), function.invoke(b"[]")

    assert error(timed_out).error_type == "Sandbox.Timedout"
    assert error(timed_out).error_message == "Error: Task timed out after 0.50 seconds"
    assert fresh.is_cold
    assert response(fresh) != int((function.settings.task_root / "pid").read_text())


def test_worker_that_exits(make_function: MakeFunction) -> None:
    """A handler that ends its process is a function error, seen long before the timeout."""
    function = make_function("import os\ndef handler(event, context): os._exit(3)", timeout_s=60.0)

    result = function.invoke(b"{}")

    assert error(result) == FunctionError(
        error_type="Runtime.ExitError", error_message="Error: Runtime exited with error: exit status 3"
    )


def test_response_limit(make_function: MakeFunction) -> None:
    """A response of the limit passes; one byte more is an error, and the next invocation works."""
    function = make_function("def handler(event, context): return 'x' * event")
    largest_count = RESPONSE_LIMIT_BYTES - len('""')

    passed, refused, after = (function.invoke(str(count).encode()) for count in (largest_count, largest_count + 1, 1))

    assert len(str(response(passed))) == largest_count
    assert error(refused).error_type == "Function.ResponseSizeTooLarge"
    assert response(after) == "x"


def test_invocations_beyond_maximum_are_throttled(make_function: MakeFunction, tmp_path: Path) -> None:
    """With all environments busy, an invocation is refused at once and nothing is started for it."""
    function = make_function(
        """
        import os, pathlib, time

        def handler(event, context):
            folder = pathlib.Path(os.environ["FOLDER"])
            (folder / "started").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)
        """,
        maximum_concurrency=1,
    )

    with ThreadPoolExecutor() as threads:
        running = threads.submit(function.invoke, b"{}")
        wait_until((tmp_path / "started").exists, timeout_s=10, what="the handler runs")
        with pytest.raises(ThrottledError):
            function.invoke(b"{}")
        (tmp_path / "go").touch()

    assert response(running.result()) is None
    assert (function.counts.throttle, function.counts.cold_start, function.counts.most_concurrent) == (1, 1, 1)


def test_worker_has_only_the_declared_environment(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the drill's own environment reaches the function."""
    monkeypatch.setenv("OF_THE_DRILL", "1")
    function = make_function("import os\ndef handler(event, context): return sorted(os.environ)")

    names = response(function.invoke(b"{}"))

    assert isinstance(names, list)
    assert "FOLDER" in names
    assert "OF_THE_DRILL" not in names


def test_worker_tells_its_costs(tmp_path: Path) -> None:
    """CPU time and memory of a running worker can be read, for benchmarks."""
    (tmp_path / "app.py").write_text("def handler(event, context): return 1")
    settings = FunctionSettings(
        name="process",
        handler="app.handler",
        task_root=tmp_path,
        environment={},
        region="us-east-1",
        timeout_s=10.0,
        memory_mib=256,
        log_format="Text",
        maximum_concurrency=1,
    )
    environment = ExecutionEnvironment(settings, name="process-1", log_folder=tmp_path)
    environment.invoke(b"{}")

    cpu_s, peak_rss_bytes = environment.cpu_s, environment.peak_rss_bytes
    environment.close()

    if not Path("/proc/self/stat").exists():
        assert (cpu_s, peak_rss_bytes) == (None, None)
        return
    assert cpu_s is not None
    assert 0 < cpu_s < 10
    assert peak_rss_bytes is not None
    assert 5_000_000 < peak_rss_bytes < 500_000_000
