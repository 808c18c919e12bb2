"""What stands in a fake Azure: resources by id, operations under way, and faults to come."""

import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

SUBSCRIPTION = "5ab5c71b-0000-4000-8000-00000000d6a0"
TENANT = "7e4a4700-0000-4000-8000-00000000d6a0"
OPERATOR = "0be4a704-0000-4000-8000-00000000d6a0"

# How often something under way must be looked at before it is done.
LOOK_COUNT = 2


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, *, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong: at the next requests whose method is this, and whose path contains this.

    Attributes:
        count: At how many of them.
        kind: quota, denied, conflict, busy, expired, cut; failed: the operation begins, and ends badly.
    """

    method: str
    path: str
    kind: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    body: Any
    claims: dict[str, Any]
    base: str  # of links to where it came: https://management.azure.com


@dataclass(slots=True)
class World:
    """Everything. Handlers hold `lock` while they answer."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id in lower case
    under_way: dict[str, int] = field(default_factory=dict)  # looks left, by id
    doomed: set[str] = field(default_factory=set)  # ids of what will fail
    leaving: set[str] = field(default_factory=set)  # ids of what is being removed
    registered: set[str] = field(default_factory=set)
    listed: dict[str, dict[str, Any]] = field(default_factory=dict)  # gone, but Azure goes on to list it in its group
    lingering: dict[str, dict[str, Any]] = field(default_factory=dict)  # removed, and not purged; vaults by name
    settings: dict[str, dict[str, str]] = field(default_factory=dict)  # of apps, by id
    secrets: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # versions by vault and name
    files: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # names by account and container
    packages: list[bytes] = field(default_factory=list)
    publishing: dict[str, Any] = field(default_factory=dict)
    runs: list[tuple[str, Any]] = field(default_factory=list)  # of functions that somebody started by hand
    requests: list[Request] = field(default_factory=list)
    refused_tokens: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take_fault(self, method: str, path: str) -> str:
        """The kind of the fault that is due at this request, or ''."""
        for fault in self.faults:
            if fault.method == method and fault.path.lower() in path.lower():
                fault.count -= 1
                if not fault.count:
                    self.faults.remove(fault)
                return fault.kind
        return ""

    def look(self, key: str) -> None:
        """Somebody looked at it: a step nearer to its end."""
        if key not in self.under_way:
            return
        self.under_way[key] -= 1
        if self.under_way[key] > 0:
            return
        del self.under_way[key]
        if key in self.leaving:
            self.leaving.discard(key)
            self.drop(key)
        elif "provisioningState" in self.resources[key]["properties"]:
            self.resources[key]["properties"]["provisioningState"] = "Failed" if key in self.doomed else "Succeeded"

    def drop(self, key: str) -> None:
        """It and all that is below it are gone."""
        for other in [other for other in self.resources if other == key or other.startswith(f"{key}/")]:
            self._linger(other)
            self.listed[other] = self.resources.pop(other)
            self.settings.pop(other, None)

    def _linger(self, key: str) -> None:
        found = self.resources[key]
        if found.get("type", "").lower() == "microsoft.keyvault/vaults":
            self.lingering[found["name"]] = found

    def roles_of(self, principal: str, scope: str) -> set[str]:
        """Ids of the roles that somebody has at a place, or above it."""
        return {
            found["properties"]["roleDefinitionId"].rpartition("/")[2]
            for found in self.resources.values()
            if found.get("type") == "Microsoft.Authorization/roleAssignments"
            and found["properties"]["principalId"] == principal
            and scope.lower().startswith(found["properties"]["scope"].lower())
        }


def new_id() -> str:
    return str(uuid.uuid4())
