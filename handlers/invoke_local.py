"""Calls a function here as Google Cloud or Azure would (`npx sls invoke local --cloud gcp|azure` runs it).

The event comes from --path, --data or standard input. What the cloud would answer goes to standard output, everything
else to standard error. A function that raises ends with its traceback and exit status 1.
"""

import argparse
import importlib
import json
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class EventError(Exception):
    """The event cannot be used, in words that name the remedy."""


def main(arguments: list[str]) -> int:
    """Call one function. Returns the exit status: 0 done, 1 not done, 2 misused."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        event = read_event(path=options.path, data=options.data)
        match options.trigger:
            case "pubsub":
                answer = push(event, handler=options.handler)
            case "schedule":
                answer = json.dumps(load(options.handler)(event))
            case "queue" | "timer":
                load(options.handler)(event, None)  # nobody gets to see what it returns
                answer = ""
            case _:
                answer = request(event, app=load(options.handler))
    except EventError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    if answer:
        print(answer)
    return 0


def read_event(*, path: str | None, data: str | None) -> dict[str, Any]:
    """Read the event.

    Raises:
        EventError: There is none, or it is no JSON object.
    """
    if data is None and path is None and sys.stdin.isatty():
        raise EventError("there is no event: give --path FILE or --data JSON, or pipe it in")
    try:
        text = data if data is not None else Path(path).read_text() if path else sys.stdin.read()
        event = json.loads(text)
    except OSError as error:
        raise EventError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise EventError(f"the event is no JSON: {error}") from error
    if not isinstance(event, dict):
        raise EventError("the event is no JSON object")
    return event


def load(handler: str) -> Callable[..., Any]:
    """The function that "handlers/gcp.process" names."""
    module, _, name = handler.replace("/", ".").rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def push(event: dict[str, Any], *, handler: str) -> str:
    """Post a push of Pub/Sub or a CloudEvent to Google's functions framework, which calls the function.

    Anything else, such as the answer to a pull that `sls redrive` prints, is no request that the framework understands;
    the function gets it as it is.
    """
    if "message" not in event and "specversion" not in event:
        load(handler)(event)
        return "OK"
    from functions_framework import create_app

    module, _, name = handler.rpartition(".")
    # Propagating, because here nothing is gained from a web server's way of showing an exception.
    app = create_app(name, f"{module}.py", "cloudevent")  # type: ignore[no-untyped-call]
    app.config["PROPAGATE_EXCEPTIONS"] = True
    kind = "application/cloudevents+json" if "specversion" in event else "application/json"
    answer = app.test_client().post("/projects/local/topics/work", data=json.dumps(event), content_type=kind)
    if answer.status_code != 200:
        needed = '"subscription", and "message" with "messageId" and "data"'
        raise EventError(f"the functions framework refuses the event ({answer.status}); a push has {needed}")
    return str(answer.text)


def request(event: Mapping[str, Any], *, app: Any) -> str:
    """Send {"method", "path", "headers", "body"} to a WSGI application; each but the path may be missing.

    Returns:
        The answer: status, headers, an empty line, body.
    """
    from werkzeug.test import Client

    if not isinstance(event.get("path"), str):
        raise EventError('the event of an HTTP function is {"path": "/v1/health"}, and "method", "headers", "body"')
    answer = Client(app).open(
        event["path"], method=event.get("method", "GET"), headers=event.get("headers"), data=event.get("body")
    )
    return "\n".join([answer.status, *[f"{name}: {value}" for name, value in answer.headers], "", answer.text])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handlers.invoke_local", description="call a function here")
    parser.add_argument("--handler", required=True, help="the function, as handlers/gcp.process")
    triggers = ("pubsub", "queue", "schedule", "timer", "http")
    parser.add_argument("--trigger", required=True, choices=triggers, help="what calls it")
    parser.add_argument("--path", help="file with the event")
    parser.add_argument("--data", help="the event itself")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
