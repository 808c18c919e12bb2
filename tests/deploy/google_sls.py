"""The project's command line against the emulated control planes of Google."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("serverless.yml", "package.json", "plugins", "providers", "core", "handlers")
_LINKED = ("node_modules", ".venv", "build")


def copy_project(folder: Path) -> Path:
    """A copy of what the framework reads, so that nothing is written to the checkout."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "test"))
        else:
            shutil.copy(source, folder / name)
    for name in _LINKED:
        (folder / name).symlink_to((ROOT / name).resolve())
    return folder


def write_credentials(folder: Path, *, token_url: str) -> Path:
    """Credentials of another cloud's workload, which google-auth-library exchanges at `token_url` for a token."""
    (folder / "subject-token").write_text("who-i-am")
    path = folder / "credentials.json"
    configuration = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": token_url,
        "credential_source": {"file": str(folder / "subject-token")},
    }
    path.write_text(json.dumps(configuration))
    return path


def sls(
    project: Path, *arguments: str, credentials: Path, env: Mapping[str, str], text: str
) -> subprocess.CompletedProcess[str]:
    """Run a command for Google Cloud, without this shell's settings and credentials."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],  # the framework keeps a cache there
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        "CLOUDSDK_CONFIG": str(project / "no-gcloud"),
        "METADATA_SERVER_DETECTION": "none",
        **env,
    }
    command = [str(project / "node_modules/.bin/sls"), *arguments, "--cloud", "gcp"]
    how = {"cwd": project, "env": environment, "input": text, "capture_output": True, "text": True}
    return subprocess.run(command, **how, timeout=90, check=False)
