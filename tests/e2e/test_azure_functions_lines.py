"""Both lines of azure-functions, 1.26 for Python 3.10 to 3.12 and 2.x for newer ones, run the same functions."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from providers.azure.package import write_root
from tests.e2e.bucket import ROOT

SCRIPT = Path(__file__).with_name("azure_functions_in_process.py")
OUTPUT = {"capture_output": True, "text": True}


def is_new(python: str) -> bool:
    """Whether this is a Python for which azure-functions 2.x is made."""
    told = [python, "-c", "import sys, venv; sys.exit(sys.version_info < (3, 13))"]
    return subprocess.run(told, capture_output=True, timeout=20).returncode == 0


def find_new_python() -> str | None:
    """A Python 3.13 or newer: this one, one on the PATH, or one of pyenv's."""
    on_path = [shutil.which(name) for name in ("python3.13", "python3.14", "python3")]
    of_pyenv = sorted(Path.home().glob(".pyenv/versions/3.1[3-9]*/bin/python"))
    return next((found for found in (sys.executable, *on_path, *map(str, of_pyenv)) if found and is_new(found)), None)


@pytest.fixture(scope="module")
def new_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python 3.13 or newer with what Azure installs for the package, and Microsoft's runtime."""
    found = find_new_python()
    if found is None:
        pytest.skip("azure-functions 2.x needs Python 3.13 or newer, and there is none on this machine")
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([found, "-m", "venv", str(folder)], check=True, capture_output=True, timeout=60)
    python = str(folder / "bin" / "python")
    for lock in ("providers/azure/requirements.lock", "requirements-azure-runtime.lock"):
        options = ["--require-hashes", "--no-deps", "--retries=1", "--timeout=10", "--disable-pip-version-check"]
        command = [python, "-m", "pip", "install", *options, "--requirement", str(ROOT / lock)]
        done = subprocess.run(command, **OUTPUT, timeout=100)
        if done.returncode and "connection broken by" in done.stderr:
            pytest.skip("azure-functions 2.x could not be installed: pip has no connection")
        assert done.returncode == 0, done.stderr
    return python


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the function sees: Azure's settings, on an embedded store of this test's own."""
    return {
        "PATH": os.defpath,
        "SLUICE_CLOUD": "azure",
        "SLUICE_LOCAL_DIR": str(tmp_path / "store"),
        "SLUICE_WORK_QUEUE": "work",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    """The package as Azure unpacks it."""
    folder = tmp_path / "app"
    folder.mkdir()
    for name in ("core", "handlers", "providers"):
        (folder / name).symlink_to(ROOT / name)
    write_root(folder, timeout_s=60, batch_count=1)
    return folder


def operator(environment: dict[str, str], *arguments: str) -> Any:
    """Run an operator's command; gives its JSON."""
    command = [sys.executable, "-m", "handlers.cli", arguments[0], "--cloud=azure", *arguments[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment, **OUTPUT, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def call(python: str, function: str, given: Any, *, environment: dict[str, str], app_folder: Path) -> Any:
    """Have the runtime call a function; gives what the script prints."""
    command = [python, str(SCRIPT), str(app_folder), function]
    done = subprocess.run(command, input=json.dumps(given), env=environment, **OUTPUT, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def require_one_record(python: str, *, line: str, environment: dict[str, str], app_folder: Path) -> None:
    """Put a file, have the runtime call `process` with its event, and look for the record."""
    [message] = operator(environment, "put", __file__, "--key=k")["messages"]

    answer = call(python, "process", message, environment=environment, app_folder=app_folder)

    assert answer["azure_functions"].startswith(line)
    assert answer["is_success"], answer["error"]
    [trigger] = answer["bindings"]["process"]
    assert (trigger["type"], trigger["queueName"]) == ("queueTrigger", "%SLUICE_WORK_QUEUE%")
    [record] = operator(environment, "ledger", "--json")["records"]
    assert (record["key"], record["state"], record["size_bytes"]) == ("k", "recorded", Path(__file__).stat().st_size)


def require_a_minute(python: str, *, environment: dict[str, str], app_folder: Path) -> None:
    """Have the runtime call `watch` as the host's timer does."""
    late = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": True}

    answer = call(python, "watch", late, environment=environment, app_folder=app_folder)

    assert answer["is_success"], answer["error"]
    [trigger] = answer["bindings"]["watch"]
    assert (trigger["type"], trigger["schedule"]) == ("timerTrigger", "0 * * * * *")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="azure-functions 1.26 is for Python 3.10 to 3.12")
def test_azure_functions_1(environment: dict[str, str], app_folder: Path) -> None:
    """azure-functions 1.26 finds the functions, `process` records an upload, and `watch` runs."""
    require_one_record(sys.executable, line="1.", environment=environment, app_folder=app_folder)
    require_a_minute(sys.executable, environment=environment, app_folder=app_folder)


@pytest.mark.timeout(300)
def test_azure_functions_2(new_python: str, environment: dict[str, str], app_folder: Path) -> None:
    """azure-functions 2.x, in the versions that Azure installs with the package, does the same."""
    require_one_record(new_python, line="2.", environment=environment, app_folder=app_folder)
    require_a_minute(new_python, environment=environment, app_folder=app_folder)
