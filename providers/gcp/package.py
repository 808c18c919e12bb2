"""The file that Google's functions framework wants at the root of a package, beside the folders of the project."""

from collections.abc import Mapping

# The framework's targets are `process` and `api`. A view of Flask, which the framework is built on, may return a WSGI
# application. The API is imported when it is called, because a cold start of `process` should not pay for it.
MAIN = """\
from handlers.gcp import process

__all__ = ["api", "process"]


def api(request):
    from handlers.api import app

    return app
"""


def root_files() -> Mapping[str, str]:
    """Name and text of each file."""
    return {"main.py": MAIN}
