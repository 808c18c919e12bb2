"""The package of the function `api` as `sls package` makes it: the code, and serverless-wsgi's handler at the root."""

import json
import shutil
from pathlib import Path

HANDLER = "wsgi_handler.handler"
_APP = "handlers.api.app"  # serverless.yml: custom.wsgi.app
_FOLDERS = ("core", "handlers", "providers")


def write_api_package(folder: Path, *, task_root: Path) -> Path:
    """Write the package anew, with links to the code; returns the folder."""
    if folder.exists():
        shutil.rmtree(folder)  # links are not followed
    folder.mkdir(parents=True)
    for name in _FOLDERS:
        (folder / name).symlink_to(task_root / name)
    for name in ("wsgi_handler.py", "serverless_wsgi.py"):
        shutil.copy(task_root / "node_modules" / "serverless-wsgi" / name, folder / name)
    (folder / ".serverless-wsgi").write_text(json.dumps({"app": _APP}))
    return folder
