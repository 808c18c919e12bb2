"""What `sls` runs in: a copy of the project, and an `az` on the PATH that somebody is logged in with."""

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.azure.state import OPERATOR, SUBSCRIPTION, TENANT

ROOT = Path(__file__).parents[3]
_COPIED = ("serverless.yml", "package.json", "plugins", "providers", "core", "handlers")
_LINKED = ("node_modules", ".venv", "build")

# As `az account get-access-token --output json --resource R` prints it; each token is another one.
_AZ = """\
    #!{python}
    import base64, json, sys, time, uuid

    resource = sys.argv[sys.argv.index("--resource") + 1]
    claims = {{"aud": resource, "oid": "{operator}", "tid": "{tenant}", "idtyp": "user", "jti": str(uuid.uuid4())}}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    ends_at_s = int(time.time()) + 3600
    print(json.dumps({{"accessToken": f"e30.{{payload}}.x", "expires_on": ends_at_s, "tokenType": "Bearer"}}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished command."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A copy of the project, whose `sls` asks the fake."""

    folder: Path
    home: Path
    control_plane: str

    def sls(self, *arguments: str, stdin: str = "", **environment: str) -> Run:
        """Run `sls … --cloud azure`."""
        env = {
            "PATH": f"{self.home}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
            "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",  # else it looks for a machine's identity first
            "SLUICE_CONTROL_PLANE": self.control_plane,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            **environment,
        }
        command = ["node", str(ROOT / "node_modules/osls/bin/serverless.js"), *arguments, "--cloud", "azure"]
        done = subprocess.run(
            command, cwd=self.folder, env=env, input=stdin, capture_output=True, text=True, timeout=90, check=False
        )
        return Run(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def make_project(folder: Path, *, control_plane: str) -> Project:
    """Copy what the framework reads, and put `az` beside it."""
    project, home = folder / "project", folder / "home"
    project.mkdir(parents=True)
    home.mkdir()
    for name in _COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, project / name)
    for name in _LINKED:
        (project / name).symlink_to(ROOT / name)
    az = home / "az"
    az.write_text(textwrap.dedent(_AZ).format(python=sys.executable, operator=OPERATOR, tenant=TENANT))
    az.chmod(0o755)
    return Project(folder=project, home=home, control_plane=control_plane)
