"""The file that Google's functions framework wants at the root of a package, beside the folders of the project."""

from collections.abc import Mapping

# The framework's targets are `process`, `api` and `watch`. Google takes a function without a trigger of its own for one
# of HTTP; ours has a subscription that we made ourselves, so that `process` has to say that it takes events. A view of
# Flask, which the framework is built on, may return a WSGI application. The API is imported when it is called, because
# a cold start of `process` should not pay for it.
MAIN = """\
import functions_framework
from handlers.gcp import process, watch

__all__ = ["api", "process", "watch"]

functions_framework.cloud_event(process)


def api(request):
    from handlers.api import app

    return app
"""


def root_files() -> Mapping[str, str]:
    """Name and text of each file."""
    return {"main.py": MAIN}
