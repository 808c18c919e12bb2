"""How each type of resources behaves in the fake: versions, statuses, whether it takes time, and what Azure adds.

Statuses are those that the official clients accept; versions those that the clients or the documentation name.
"""

from dataclasses import dataclass
from typing import Any

from tests.deploy.azure.state import TENANT, new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type.

    Attributes:
        created, replaced: Status of a PUT of a new one, and of one that stands.
        way: How its making is followed: operation, location (headers), state (its own), or '': it is done at once.
        settings_of_app: It is an app's settings, which GET does not give.
    """

    name: str
    versions: frozenset[str]
    created: int = 200
    replaced: int = 200
    way: str = ""
    needs_location: bool = False
    has_state: bool = False
    settings_of_app: bool = False


_WEB, _STORAGE = frozenset({"2025-05-01"}), frozenset({"2025-08-01"})
_GRID = frozenset({"2025-02-15", "2022-06-15"})  # the clients for Python and for Node
_TRACKED = {"needs_location": True, "has_state": True}

_ALL = [
    Kind(
        name="microsoft.resources/resourcegroups",
        versions=frozenset({"2021-04-01", "2025-04-01"}),
        created=201,
        **_TRACKED,
    ),
    Kind(name="microsoft.storage/storageaccounts", versions=_STORAGE, created=202, way="location", **_TRACKED),
    Kind(name="microsoft.storage/storageaccounts/blobservices", versions=_STORAGE),
    Kind(name="microsoft.storage/storageaccounts/blobservices/containers", versions=_STORAGE, created=201),
    Kind(name="microsoft.storage/storageaccounts/queueservices/queues", versions=_STORAGE),
    Kind(name="microsoft.storage/storageaccounts/tableservices/tables", versions=_STORAGE),
    Kind(name="microsoft.storage/storageaccounts/managementpolicies", versions=_STORAGE),
    Kind(
        name="microsoft.managedidentity/userassignedidentities",
        versions=frozenset({"2023-01-31"}),
        created=201,
        needs_location=True,
    ),
    Kind(
        name="microsoft.operationalinsights/workspaces",
        versions=frozenset({"2023-09-01"}),
        created=201,
        way="state",
        **_TRACKED,
    ),
    Kind(name="microsoft.insights/components", versions=frozenset({"2020-02-02"}), **_TRACKED),
    Kind(name="microsoft.keyvault/vaults", versions=frozenset({"2023-07-01"}), way="state", **_TRACKED),
    Kind(name="microsoft.web/serverfarms", versions=_WEB, created=202, way="operation", **_TRACKED),
    Kind(name="microsoft.web/sites", versions=_WEB, created=202, way="operation", needs_location=True),
    Kind(name="microsoft.web/sites/config", versions=_WEB, settings_of_app=True),
    Kind(name="microsoft.web/sites/basicpublishingcredentialspolicies", versions=_WEB),
    Kind(name="microsoft.eventgrid/systemtopics", versions=_GRID, created=201, way="operation", **_TRACKED),
    Kind(
        name="microsoft.eventgrid/systemtopics/eventsubscriptions",
        versions=_GRID,
        created=201,
        replaced=201,
        way="operation",
        has_state=True,
    ),
    Kind(name="microsoft.authorization/roleassignments", versions=frozenset({"2022-04-01"}), created=201, replaced=201),
]
KINDS = {kind.name: kind for kind in _ALL}

# What comes with a resource, by its path below it.
_OFF = {"enabled": False}
PARTS: dict[str, dict[str, Any]] = {
    "microsoft.storage/storageaccounts": {
        "blobServices/default": {
            "isVersioningEnabled": False,
            "deleteRetentionPolicy": _OFF,
            "containerDeleteRetentionPolicy": _OFF,
        }
    },
    "microsoft.web/sites": {f"basicPublishingCredentialsPolicies/{one}": {"allow": True} for one in ("scm", "ftp")},
}


def fill(body: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Add what Azure adds. What it made once, stays."""
    kind, properties, name = KINDS[body["type"].lower()], body["properties"], body["name"]
    kept = (before or {}).get("properties", {})
    if kind.has_state:
        properties["provisioningState"] = "Succeeded"
    match kind.name:
        case "microsoft.managedidentity/userassignedidentities":
            ids = {"principalId": new_id(), "clientId": new_id(), "tenantId": TENANT}
            properties.update({field: kept.get(field, value) for field, value in ids.items()})
        case "microsoft.eventgrid/systemtopics":
            own = (before or {}).get("identity") or {"principalId": new_id(), "tenantId": TENANT}
            body["identity"] = body["identity"] | {field: own[field] for field in ("principalId", "tenantId")}
        case "microsoft.operationalinsights/workspaces":
            properties["customerId"] = kept.get("customerId", new_id())
        case "microsoft.insights/components":
            made = f"InstrumentationKey={new_id()};IngestionEndpoint=https://local.example/"
            properties["ConnectionString"] = kept.get("ConnectionString", made)
        case "microsoft.keyvault/vaults":
            properties["vaultUri"] = f"https://{name}.vault.azure.net/"
            properties.pop("createMode", None)
        case "microsoft.web/sites":
            _fill_site(body)
        case "microsoft.storage/storageaccounts":
            services = ("blob", "queue", "table")
            properties["primaryEndpoints"] = {one: f"https://{name}.{one}.core.windows.net/" for one in services}
        case "microsoft.storage/storageaccounts/queueservices/queues" if not properties:
            del body["properties"]  # as Microsoft's example of QueueOperationPut has it
        case "microsoft.storage/storageaccounts/tableservices/tables":
            properties["tableName"] = name


def _fill_site(body: dict[str, Any]) -> None:
    """Azure writes the ids of identities in its own case, and regions with a blank."""
    name, properties = body["name"], body["properties"]
    identities = body["identity"]["userAssignedIdentities"]
    body["identity"]["userAssignedIdentities"] = {
        key.replace("resourceGroups", "resourcegroups"): {"principalId": new_id(), "clientId": new_id()}
        for key in identities
    }
    body["location"] = {"westeurope": "West Europe"}.get(body["location"], body["location"])
    host = f"{name}.azurewebsites.net"
    scm = f"{name}.scm.azurewebsites.net"
    states = [
        {"name": host, "sslState": "Disabled", "hostType": "Standard"},
        {"name": scm, "sslState": "Disabled", "hostType": "Repository"},
    ]
    properties |= {"defaultHostName": host, "state": "Running", "hostNameSslStates": states}
