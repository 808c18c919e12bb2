"""A deployment in the fake Azure, as the tests see it."""

import re
from dataclasses import dataclass
from typing import Any

from tests.deploy.azure.server import FakeAzure
from tests.deploy.azure.state import Request
from tests.deploy.azure.surroundings import Project, Run

_CHANGING = {"PUT", "PATCH", "DELETE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A fake with a deployment, and how it came to be."""

    azure: FakeAzure
    project: Project
    planned: Run
    run: Run
    plan_requests: list[Request]
    requests: list[Request]

    def one(self, ending: str) -> dict[str, Any]:
        """The resource whose id ends so."""
        [found] = [found for key, found in self.azure.world.resources.items() if re.search(f"{ending}$", key)]
        return found

    def changes_of(self, *arguments: str, **environment: str) -> tuple[Run, list[Request]]:
        """Run a command; gives it with the requests that may have changed something."""
        before = len(self.azure.world.requests)
        run = self.project.sls(*arguments, **environment)
        return run, changing(self.azure.world.requests[before:])


def changing(requests: list[Request]) -> list[Request]:
    return [
        one for one in requests if one.method in _CHANGING or "/publish" in one.path or one.path.endswith("/register")
    ]
