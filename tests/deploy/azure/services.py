"""Fakes of what has a control plane of its own: storage, vaults, publishing, the app itself, logs.

They answer only whom a role allows. Nothing judged these but their documentation.
"""

import io
import json
import re
import zipfile
from typing import Any
from urllib.parse import unquote

from tests.deploy.azure.resource_manager import Answer
from tests.deploy.azure.state import LOOK_COUNT, RefusedError, Request, World, new_id

_BLOB_ROLES = {"b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"}
_QUEUE_ROLES = {"974c5e8b-45b9-4653-ba55-5f855dd0fb88"}
_TABLE_ROLES = {"0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"}
_OFFICER = {"b86a8fe4-44ce-4948-aee5-eccb2c155cd7"}


def answer(world: World, request: Request, fault: str) -> Answer:
    """Answer a request to a host that is not Resource Manager.

    Raises:
        RefusedError: As the service would.
    """
    name, _, domain = request.host.partition(".")
    match domain:
        case "blob.core.windows.net" | "queue.core.windows.net" | "table.core.windows.net":
            return _storage(world, request, account=name, service=domain.partition(".")[0])
        case "vault.azure.net":
            return _vault(world, request, name)
        case "scm.azurewebsites.net":
            return _publishing(world, request, name, is_doomed=fault == "failed")
        case "azurewebsites.net":
            return _app(world, request)
        case "loganalytics.azure.com":
            return _logs(request)
    raise RefusedError(status=404, code="UnknownHost", message=request.host)


def _require(world: World, request: Request, *, audience: str, scope: str, roles: set[str], code: str) -> None:
    if request.claims.get("aud") != audience:
        raise RefusedError(status=401, code="InvalidAuthenticationInfo", message=f"the token is not for {audience}")
    if not roles & world.roles_of(request.claims["oid"], scope):
        raise RefusedError(status=403, code=code, message="This request is not authorized to perform this operation")


def _id_of(world: World, kind: str, name: str) -> str:
    found = [key for key in world.resources if key.endswith(f"/{kind}/{name}")]
    if not found:
        raise RefusedError(status=404, code="ResourceNotFound", message=f"there is no {name}")
    return found[0]


def _storage(world: World, request: Request, *, account: str, service: str) -> Answer:
    thing = request.path.strip("/").split("/")[0].removesuffix("()")
    path = {
        "blob": f"blobServices/default/containers/{thing}",
        "queue": f"queueServices/default/queues/{thing}",
        "table": f"tableServices/default/tables/{thing}",
    }[service]
    scope = f"{_id_of(world, 'storageaccounts', account)}/{path}".lower()
    roles = {"blob": _BLOB_ROLES, "queue": _QUEUE_ROLES, "table": _TABLE_ROLES}[service]
    _require(
        world,
        request,
        audience="https://storage.azure.com",
        scope=scope,
        roles=roles,
        code="AuthorizationPermissionMismatch",
    )
    if scope not in world.resources:
        raise RefusedError(status=404, code="ResourceNotFound", message=f"there is no {thing}")
    names = world.files.get((account, thing), [])
    match service:
        case "blob":
            listed = "".join(f"<Blob><Name>{name}</Name><Properties/></Blob>" for name in names)
            return 200, f"<EnumerationResults><Blobs>{listed}</Blobs><NextMarker/></EnumerationResults>", {}
        case "queue":
            if request.query.get("comp") != "metadata":
                raise RefusedError(status=400, code="InvalidQueryParameterValue", message="only counts are known")
            return 200, None, {"x-ms-approximate-messages-count": str(len(names))}
    return 200, {"value": [{"PartitionKey": name} for name in names[:1]]}, {}


def _vault(world: World, request: Request, vault: str) -> Answer:
    scope = _id_of(world, "vaults", vault)
    _require(world, request, audience="https://vault.azure.net", scope=scope, roles=_OFFICER, code="Forbidden")
    versions = world.secrets.setdefault((vault, request.path.split("/")[2]), [])
    if request.method == "PUT":
        versions.append(request.body["value"])
    if not versions:
        raise RefusedError(status=404, code="SecretNotFound", message="A secret was not found in this key vault")
    return 200, {"value": versions[-1], "id": f"https://{request.host}{request.path}/{len(versions)}"}, {}


def _publishing(world: World, request: Request, site: str, *, is_doomed: bool) -> Answer:
    if request.claims.get("aud") != "https://management.azure.com":
        raise RefusedError(status=401, code="Unauthorized", message="the token is not for Resource Manager")
    app = world.resources[_id_of(world, "sites", site)]
    if request.path == "/api/publish":
        _require_package(world, app, request)
        world.packages.append(request.body)
        world.publishing = {"id": new_id(), "looks": LOOK_COUNT, "status": 3 if is_doomed else 4}
        return 202, world.publishing["id"], {}
    if not world.publishing:
        raise RefusedError(status=404, code="NotFound", message="nothing was published")
    world.publishing["looks"] -= 1
    status = 1 if world.publishing["looks"] > 0 else world.publishing["status"]
    text = "pip: no matching distribution\nfound" if status == 3 else ""
    return 200, {"id": world.publishing["id"], "status": status, "status_text": text}, {}


def _require_package(world: World, app: dict[str, Any], request: Request) -> None:
    """A zip with what the host looks for, and an app that may put it into its container and reach its storage."""
    names = set(zipfile.ZipFile(io.BytesIO(request.body)).namelist())
    if not {"host.json", "function_app.py", "requirements.txt"} <= names or request.query.get("RemoteBuild") != "true":
        raise RefusedError(status=400, code="BadRequest", message="this is no package of Python")
    storage = app["properties"]["functionAppConfig"]["deployment"]["storage"]
    identity = world.resources[storage["authentication"]["userAssignedIdentityResourceId"].lower()]
    account, container = re.fullmatch(r"https://(\w+)\.blob\.core\.windows\.net/(\w+)", storage["value"]).groups()
    scope = f"{_id_of(world, 'storageaccounts', account)}/blobservices/default/containers/{container}"
    if scope not in world.resources or not _BLOB_ROLES & world.roles_of(identity["properties"]["principalId"], scope):
        raise RefusedError(status=400, code="BadRequest", message=f"the app may not write to {storage['value']}")
    if "AzureWebJobsStorage__accountName" not in world.settings.get(app["id"].lower(), {}):
        raise RefusedError(status=400, code="BadRequest", message="the app has no host storage")


def _app(world: World, request: Request) -> Answer:
    if match := re.fullmatch(r"/admin/functions/(\w+)", request.path):
        if request.query.get("x-functions-key") != "master":
            raise RefusedError(status=401, code="Unauthorized", message="a master key is needed")
        world.runs.append((match[1], request.body["input"]))
        return 202, None, {}
    return 404, {"asked": f"{request.method} {unquote(request.path)}", "body": request.body}, {"X-From": "the app"}


def _logs(request: Request) -> Answer:
    if request.claims.get("aud") != "https://api.loganalytics.azure.com":
        raise RefusedError(status=401, code="InvalidTokenError", message="the token is for somebody else")
    start, _, end = request.body["timespan"].partition("/")
    if not start or not end or start >= end:
        raise RefusedError(status=400, code="BadArgumentError", message="no timespan")
    rows = [["2026-11-25T03:00:02Z", "second line"], ["2026-11-25T03:00:01Z", json.dumps({"event": "first"})]]
    columns = [{"name": "TimeGenerated", "type": "datetime"}, {"name": "Text", "type": "string"}]
    return 200, {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}, {}
