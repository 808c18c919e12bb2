"""A project of Google's that tests deploy to, empty or with a deployment that stands."""

import copy
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.deploy.google_compute_storage import GoogleProject
from tests.deploy.google_control_plane import ControlPlaneServer
from tests.deploy.google_sls import copy_project, sls, write_credentials

IN_PROJECT = "projects/my-project"
IN_REGION = f"{IN_PROJECT}/locations/europe-west1"
BUCKET = "b/sluice-dev-uploads-1c7cd944"


@dataclass
class World:
    """A project of Google's, its control planes, and a checkout that deploys to it."""

    services: GoogleProject
    plane: ControlPlaneServer
    checkout: Path
    credentials: Path

    def sls(
        self, *arguments: str, env: Mapping[str, str] | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; `text` is its standard input."""
        self.plane.asked.clear()
        environment = {"SLUICE_CONTROL_PLANE": self.plane.url, **(env or {})}
        return sls(self.checkout, *arguments, credentials=self.credentials, env=environment, text=text)

    def state(self) -> Any:
        """What stands, without what differs between two deployments of the same."""
        things = copy.deepcopy(self.services.things)
        for thing in things.values():
            thing.get("buildConfig", {}).pop("source", None)
            thing.pop("id", None)
        by_name = {name.rpartition("/")[0] if name.startswith("b/") else name: thing for name, thing in things.items()}
        policies = copy.deepcopy(self.services.policies.by_name)
        for policy in policies.values():
            policy.pop("etag")
        return by_name, policies

    def roles(self, name: str) -> dict[str, list[str]]:
        """Who may do what on a thing: members by role, with "?" behind a role that has a condition."""
        bindings = self.services.policies.get(name)["bindings"]
        return {
            binding["role"] + "?" * ("condition" in binding): sorted(_short(member) for member in binding["members"])
            for binding in bindings
        }


def _short(member: str) -> str:
    return member.partition("@")[0].partition(":")[2] or member


@contextmanager
def world_of(services: GoogleProject) -> Iterator[World]:
    """Control planes over these services; at the end the judge must have had nothing to say."""
    plane = ControlPlaneServer(services)
    with plane.running(), TemporaryDirectory() as folder:
        credentials = write_credentials(Path(folder), token_url=f"{plane.url}/token")
        yield World(services=services, plane=plane, checkout=_checkout(), credentials=credentials)
    assert plane.complaints == []


@cache
def _checkout() -> Path:
    """One for all tests of this process."""
    _folders.append(TemporaryDirectory())
    return copy_project(Path(_folders[0].name))


_folders: list[TemporaryDirectory[str]] = []  # removed when the process ends


@cache
def first_deployment() -> tuple[World, str]:
    """What stands after a deployment to an empty project, and what it said; made once. Its control planes are gone."""
    with world_of(GoogleProject()) as world:
        done = world.sls("deploy")
        assert done.returncode == 0, done.stdout
    return world, done.stderr
