"""A fake of Azure Resource Manager for what a deployment of ours needs.

It keeps what is sent, adds what Azure adds, and insists on order: parents stand before their parts, providers are
registered, identities have their roles before somebody acts for them. The official clients read every answer
(tests/deploy/azure/clients.mjs); bodies are judged elsewhere.
"""

import copy
import re
from typing import Any

from tests.deploy.azure.kinds import KINDS, PARTS, Kind, fill
from tests.deploy.azure.state import LOOK_COUNT, RefusedError, Request, World, new_id

Answer = tuple[int, Any, dict[str, str]]

_SENDER = "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a"
_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"


def answer(world: World, request: Request, fault: str) -> Answer:
    """Answer a request to management.azure.com.

    Raises:
        RefusedError: As Azure would.
    """
    if request.claims.get("aud") != "https://management.azure.com":
        raise RefusedError(status=401, code="InvalidAuthenticationToken", message="the token is for somebody else")
    version = request.query.get("api-version", "")
    if not version:
        raise RefusedError(
            status=400, code="MissingApiVersionParameter", message="The api-version query parameter is required."
        )
    key = request.path.lower().rstrip("/")
    if match := re.fullmatch(r"(/subscriptions/[^/]+)/providers/([\w.]+)(/register)?", key):
        return _provider(world, request, match[2])
    if "/operationresults/" in key:
        return _operation(world, key.partition("/operationresults/")[2])
    if match := re.search(r"/deletedvaults/([^/]+)(/purge)?$", key):
        return _lingering(world, match[1], purge=bool(match[2]))
    if key.endswith("/providers/microsoft.resources/tags/default"):
        return _merge_tags(world, request, key.partition("/providers/microsoft.resources/")[0])
    if re.search(r"/roleassignments$", key):
        return _role_list(world, request, key)
    if request.method == "POST":
        return _post(world, request, key)
    if request.method == "GET" and key.endswith("/resources"):
        return 200, {"value": _in_group(world, key.removesuffix("/resources"))}, {}
    kind = _kind_of(request.path)
    if version not in kind.versions:
        known = ", ".join(sorted(kind.versions))
        raise RefusedError(status=400, code="InvalidApiVersionParameter", message=f"known are {known}")
    match request.method:
        case "GET" if not kind.settings_of_app:
            return _get(world, key)
        case "PUT":
            return _put(world, request, key, kind, is_doomed=fault == "failed")
        case "DELETE":
            return _delete(world, request, key, kind)
    raise RefusedError(status=405, code="MethodNotAllowed", message=request.method)


def type_of(path: str) -> str:
    """The type that an id names: what stands after its last /providers/, without the names."""
    if "/providers/" not in path.lower():
        return "Microsoft.Resources/resourceGroups"
    namespace, *rest = re.split("/providers/", path, flags=re.IGNORECASE)[-1].split("/")
    return "/".join([namespace, *rest[::2]])


def _kind_of(path: str) -> Kind:
    kind = KINDS.get(type_of(path).lower())
    if kind is None:
        raise RefusedError(status=404, code="InvalidResourceType", message=f"no such type: {type_of(path)}")
    return kind


def _get(world: World, key: str) -> Answer:
    world.look(key)
    if key not in world.resources:
        raise RefusedError(status=404, code="ResourceNotFound", message=f"{key} was not found")
    return 200, world.resources[key], {}


def _put(world: World, request: Request, key: str, kind: Kind, *, is_doomed: bool) -> Answer:
    _require_surroundings(world, request, key)
    body = copy.deepcopy(request.body) or {}
    is_new = key not in world.resources
    _require_sense(world, body, key, kind, is_new=is_new)
    body |= {"id": request.path, "name": request.path.rpartition("/")[2], "type": type_of(request.path)}
    body.setdefault("properties", {})
    fill(body, world.resources.get(key))
    world.resources[key] = body
    world.doomed.discard(key)
    if is_new:
        _add_parts(world, request.path, kind)
    if kind.settings_of_app:
        world.settings[key.removesuffix("/config/appsettings")] = body["properties"]
        return 200, body, {}
    headers = _begin(world, request, key, kind) if kind.way and (is_new or is_doomed) else {}
    if is_doomed:
        world.doomed.add(key)
    return (kind.created if is_new else kind.replaced), body, headers


def _add_parts(world: World, path: str, kind: Kind) -> None:
    """What is there with a new account or app, as Azure likes it."""
    for part, properties in PARTS.get(kind.name, {}).items():
        found = {"id": f"{path}/{part}", "name": part.rpartition("/")[2], "type": type_of(f"{path}/{part}")}
        world.resources[f"{path}/{part}".lower()] = found | {"properties": copy.deepcopy(properties)}


def _begin(world: World, request: Request, key: str, kind: Kind) -> dict[str, str]:
    world.under_way[key] = LOOK_COUNT
    if kind.has_state:
        world.resources[key]["properties"]["provisioningState"] = "Creating"
    link = f"{request.base}{request.path.split('/resourceGroups/')[0]}/operationresults{key}?api-version=2021-04-01"
    name = {"operation": "Azure-AsyncOperation", "location": "Location"}.get(kind.way)
    return {name: link} if name else {}


def _require_surroundings(world: World, request: Request, key: str) -> None:
    group = re.match(r"/subscriptions/[^/]+/resourcegroups/[^/]+", key)
    if group is None:
        raise RefusedError(status=404, code="SubscriptionNotFound", message=key)
    if group[0] == key:
        return
    if group[0] not in world.resources:
        raise RefusedError(status=404, code="ResourceGroupNotFound", message=f"{group[0]} was not found")
    namespace = type_of(request.path).partition("/")[0].lower()
    if namespace not in world.registered | {"microsoft.resources", "microsoft.authorization"}:
        raise RefusedError(status=409, code="MissingSubscriptionRegistration", message=f"{namespace} is not registered")
    parent = _parent(key)
    if parent != group[0] and parent not in world.resources:
        raise RefusedError(status=404, code="ParentResourceNotFound", message=f"{parent} was not found")
    if parent in world.under_way:
        raise RefusedError(status=409, code="AnotherOperationInProgress", message=f"{parent} is not ready")


def _parent(key: str) -> str:
    if "/providers/microsoft.authorization/" in key:
        return key.partition("/providers/microsoft.authorization/")[0]
    parent = key.rpartition("/")[0].rpartition("/")[0]
    while parent.endswith(("services/default", "/config")) or re.search(r"/providers/[^/]+$", parent):
        parent = re.sub(r"/[^/]+services/default$|/config$|/providers/[^/]+$", "", parent)
    return parent


def _require_sense(world: World, body: dict[str, Any], key: str, kind: Kind, *, is_new: bool) -> None:
    if kind.needs_location and not body.get("location"):
        raise RefusedError(status=400, code="LocationRequired", message="The location property is required.")
    name = key.rpartition("/")[2]
    recovers = body.get("properties", {}).get("createMode") == "recover"
    if key.split("/")[-2] == "vaults" and is_new and recovers != (name in world.lingering):
        raise RefusedError(
            status=409, code="ConflictError", message="a removed vault of that name lingers, or none does"
        )
    if recovers:
        world.lingering.pop(name, None)
    elif key.split("/")[-2] == "vaults" and not {"tenantId", "sku", "accessPolicies"} <= body["properties"].keys():
        raise RefusedError(status=400, code="BadRequest", message="tenantId, sku and accessPolicies are required")
    if "/eventsubscriptions/" in key:
        _require_delivery(world, body["properties"], world.resources[_parent(key)]["identity"]["principalId"])
    if "/roleassignments/" in key:
        body["properties"]["scope"] = key.partition("/providers/microsoft.authorization/")[0]
        _require_new_role(world, body["properties"], key)


def _require_delivery(world: World, properties: dict[str, Any], principal: str) -> None:
    """Event Grid delivers with its topic's identity, which must be allowed to."""
    queue = properties["deliveryWithResourceIdentity"]["destination"]["properties"]
    letters = properties["deadLetterWithResourceIdentity"]["deadLetterDestination"]["properties"]
    for place, role in (
        (f"{queue['resourceId']}/queueServices/default/queues/{queue['queueName']}", _SENDER),
        (f"{letters['resourceId']}/blobServices/default/containers/{letters['blobContainerName']}", _CONTRIBUTOR),
    ):
        if place.lower() not in world.resources or role not in world.roles_of(principal, place):
            raise RefusedError(status=400, code="InvalidRequest", message=f"the identity may not write to {place}")


def _require_new_role(world: World, properties: dict[str, Any], key: str) -> None:
    for other, found in world.resources.items():
        if other != key and found["type"] == "Microsoft.Authorization/roleAssignments":
            same = ("scope", "principalId", "roleDefinitionId")
            if all(found["properties"][name].lower() == properties[name].lower() for name in same):
                raise RefusedError(
                    status=409, code="RoleAssignmentExists", message="The role assignment already exists."
                )


def _delete(world: World, request: Request, key: str, kind: Kind) -> Answer:
    if key not in world.resources:
        return 204, None, {}
    if key.count("/") == 4:  # a group
        world.under_way[key] = LOOK_COUNT
        world.leaving.add(key)
        link = f"{request.base}/subscriptions/s/operationresults{key}?api-version=2021-04-01"
        return 202, None, {"Location": link}
    used = [
        other
        for other, found in world.resources.items()
        if key in str(found.get("properties", {})).lower() and other != key
    ]
    if kind.name == "microsoft.web/serverfarms" and used:
        raise RefusedError(
            status=409, code="Conflict", message="Server farm cannot be deleted because it has web app(s)."
        )
    if kind.name == "microsoft.operationalinsights/workspaces" and request.query.get("force") != "true":
        world.lingering[key] = world.resources[key]
    world.drop(key)
    return 200, None, {}


def _operation(world: World, key: str) -> Answer:
    """How far an operation is: a status of its own, or, for a Location, that of the answer."""
    key = f"/{key}"
    world.look(key)
    way = "location" if key.count("/") == 4 else _kind_of(key).way
    if key in world.under_way:
        return (202, None, {}) if way == "location" else (200, {"status": "InProgress"}, {})
    if key in world.doomed and way == "operation":
        error = {"code": "InternalServerError", "message": "The backend\nis out of order."}
        return 200, {"status": "Failed", "error": error}, {}
    return 200, world.resources.get(key) if way == "location" else {"status": "Succeeded"}, {}


def _provider(world: World, request: Request, namespace: str) -> Answer:
    if request.path.lower().endswith("/register"):
        world.registered.add(namespace)
    state = "Registered" if namespace in world.registered else "NotRegistered"
    return 200, {"id": request.path, "namespace": namespace, "registrationState": state}, {}


def _lingering(world: World, name: str, *, purge: bool) -> Answer:
    found = world.lingering.get(name)
    if found is None:
        raise RefusedError(status=404, code="DeletedVaultNotFound", message=f"{name} was not found")
    if purge:
        del world.lingering[name]
        return 202, None, {}
    properties = {"vaultId": found["id"], "location": found["location"], "tags": found["tags"]}
    return 200, {"id": name, "name": name, "type": "Microsoft.KeyVault/deletedVaults", "properties": properties}, {}


def _merge_tags(world: World, request: Request, key: str) -> Answer:
    if request.method != "PATCH" or request.body["operation"] != "Merge":
        raise RefusedError(status=400, code="BadRequest", message="only Merge is known")
    world.resources[key].setdefault("tags", {}).update(request.body["properties"]["tags"])
    tags = {"properties": {"tags": world.resources[key]["tags"]}}
    return 200, {"id": request.path, "name": "default", "type": "Microsoft.Resources/tags", **tags}, {}


def _role_list(world: World, request: Request, key: str) -> Answer:
    scope = key.partition("/providers/microsoft.authorization/")[0]
    wanted = re.fullmatch(r"principalId eq '([^']+)'", request.query.get("$filter", ""))
    found = [
        one
        for one in world.resources.values()
        if one["type"] == "Microsoft.Authorization/roleAssignments"
        and scope.startswith(one["properties"]["scope"])
        and (wanted is None or one["properties"]["principalId"] == wanted[1])
    ]
    return 200, {"value": found}, {}


def _post(world: World, request: Request, key: str) -> Answer:
    app, _, _ = (
        key.partition("/config/appsettings/list") if "/config/" in key else key.partition("/host/default/listkeys")
    )
    if app not in world.resources:
        raise RefusedError(status=404, code="ResourceNotFound", message=f"{app} was not found")
    if key.endswith("/list"):
        return 200, {"id": request.path, "name": "appsettings", "properties": world.settings.get(app, {})}, {}
    return 200, {"masterKey": "master", "functionKeys": {"default": new_id()}, "systemKeys": {}}, {}


def _in_group(world: World, group: str) -> list[dict[str, Any]]:
    """The group's resources: what has a name of its own right below a provider; also what went a moment ago."""
    return [
        {name: found[name] for name in ("id", "name", "type", "location", "tags") if name in found}
        for key, found in (world.listed | world.resources).items()
        if key.startswith(f"{group}/providers/")
        and found["type"].count("/") == 1
        and "Authorization" not in found["type"]
    ]
