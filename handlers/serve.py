"""Serves the HTTP API on this machine (`npx sls api up` runs it): `python -m handlers.serve --cloud aws --port 8080`.

On the embedded store unless the environment names a cloud's own services. For local use only: werkzeug's server is no
server for the public.
"""

import argparse
import logging
import os
import signal
import sys

from werkzeug.serving import WSGIRequestHandler, make_server

from core.errors import StepError
from handlers.wiring import CLOUDS, make_front

_LOOPBACK = "127.0.0.1"


class _RequestHandler(WSGIRequestHandler):
    """Logs method, path and status; queries hold file names and stay out of the log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        logging.getLogger("sluice").info("%s %s %s", self.command, self.path.partition("?")[0], code)


def main(arguments: list[str]) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status: 0 stopped, 1 not started, 2 misused."""
    parser = argparse.ArgumentParser(prog="python -m handlers.serve", description="serve the HTTP API on this machine")
    parser.add_argument("--cloud", choices=CLOUDS, default="aws", help="the cloud (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level="INFO")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    os.environ["SLUICE_CLOUD"] = options.cloud
    if not os.environ.get("SLUICE_BUCKET"):
        os.environ.setdefault("SLUICE_LOCAL_DIR", ".sluice")
    from handlers.api.application import Application

    try:
        application = Application(make_front(os.environ))
        server = make_server(_LOOPBACK, options.port, application, threaded=True, request_handler=_RequestHandler)
    except StepError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with server:
        print(f"http://{_LOOPBACK}:{server.port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
