"""What nobody here wrote judges us: models of Microsoft's azure-mgmt-* libraries, and its clients for Node."""

import base64
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from azure.mgmt.authorization.v2022_04_01 import models as authorization
from azure.mgmt.eventgrid import models as eventgrid
from azure.mgmt.storage import models as storage
from azure.mgmt.web import models as web

from tests.deploy.azure.resource_manager import type_of
from tests.deploy.azure.server import FakeAzure
from tests.deploy.azure.state import OPERATOR, SUBSCRIPTION, Request
from tests.deploy.azure.surroundings import ROOT

# The model of a PUT's body, by type. What is not here has no judge but its documentation.
MODELS: Mapping[str, type] = {
    "Microsoft.Storage/storageAccounts": storage.StorageAccountCreateParameters,
    "Microsoft.Storage/storageAccounts/blobServices": storage.BlobServiceProperties,
    "Microsoft.Storage/storageAccounts/blobServices/containers": storage.BlobContainer,
    "Microsoft.Storage/storageAccounts/queueServices/queues": storage.StorageQueue,
    "Microsoft.Storage/storageAccounts/tableServices/tables": storage.Table,
    "Microsoft.Storage/storageAccounts/managementPolicies": storage.ManagementPolicy,
    "Microsoft.Web/serverfarms": web.AppServicePlan,
    "Microsoft.Web/sites": web.Site,
    "Microsoft.Web/sites/config": web.StringDictionary,
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": web.CsmPublishingCredentialsPoliciesEntity,
    "Microsoft.EventGrid/systemTopics": eventgrid.SystemTopic,
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": eventgrid.EventSubscription,
    "Microsoft.Authorization/roleAssignments": authorization.RoleAssignmentCreateParameters,
}


def model_of(request: Request) -> type | None:
    return MODELS.get(type_of(request.path))


def complaints(model: type, body: Any, path: str = "") -> Iterator[str]:
    """What a model does not know, would not send, misses, or takes for another value.

    Both generations of models are read; the newer one does not tell what it misses.
    """
    if hasattr(model, "_attribute_map"):
        yield from _old_complaints(model, body, path, within="")
        return
    model({})  # the new generation finds its fields at the first use
    fields = {field._rest_name: field for field in model._attr_to_rest_field.values()}
    for name, value in body.items():
        field = fields.get(name)
        if field is None or field._visibility == ["read"]:
            yield f"{path}{name} is {'not known' if field is None else 'only read'}"
        else:
            yield from _value_complaints(_parts_of(field._type), value, f"{path}{name}")


def _parts_of(kind: Any) -> list[Any]:
    """The classes and functions by which a field of the new generation reads its value."""
    if isinstance(kind, functools.partial):
        return [kind.func, *(part for one in (*kind.args, *kind.keywords.values()) for part in _parts_of(one))]
    return [part for one in kind for part in _parts_of(one)] if isinstance(kind, list | tuple) else [kind]


def _value_complaints(parts: list[Any], value: Any, path: str) -> Iterator[str]:
    classes = [part for part in parts if isinstance(part, type)]
    values = {member.value for one in classes if issubclass(one, Enum) for member in one}
    if values and isinstance(value, str) and value not in values:
        yield f"{path} may be {', '.join(sorted(values))}, and is {value}"
    scalars = {one for one in classes if one in (bool, int, str)}
    if scalars == {bool} and not isinstance(value, bool):
        yield f"{path} is no bool"
    model = next((one for one in classes if one.__module__.endswith("_models")), None)
    if model is None:
        return
    is_map = any(getattr(part, "__name__", "") == "_deserialize_dict" for part in parts)
    items = value if isinstance(value, list) else value.values() if is_map else [value]
    for item in items:
        yield from complaints(model, item, f"{path}.")


def _old_complaints(model: type, body: Mapping[str, Any], path: str, *, within: str) -> Iterator[str]:
    """In the old generation a field's key may lead through several levels: properties.destination."""
    model = _subtype(model, body)
    if not within:
        yield from _missing(model, body, path)
    keys = {entry["key"]: (attribute, entry["type"]) for attribute, entry in model._attribute_map.items()}
    for name, value in body.items():
        key = f"{within}{name}"
        if key in keys:
            attribute, kind = keys[key]
            if model._validation.get(attribute, {}).get("readonly"):
                yield f"{path}{name} is only read"
            found = getattr(sys.modules[model.__module__], kind.strip("[]{}"), None)
            if found is not None and isinstance(value, dict):
                yield from _old_complaints(found, value, f"{path}{name}.", within="")
            elif kind in ("int", "bool") and type(value).__name__ != kind:
                yield f"{path}{name} is no {kind}"
        elif any(other.startswith(f"{key}.") for other in keys):
            yield from _old_complaints(model, value, f"{path}{name}.", within=f"{key}.")
        else:
            yield f"{path}{name} is not known"


def _missing(model: Any, body: Mapping[str, Any], path: str) -> Iterator[str]:
    for attribute, rules in model._validation.items():
        if rules.get("required") and not rules.get("readonly"):
            key, value = model._attribute_map[attribute]["key"], body
            for part in key.split("."):
                value = value.get(part, {})
            if value == {}:
                yield f"{path}{key} is required"


def _subtype(model: type, body: Mapping[str, Any]) -> type:
    for attribute, subtypes in getattr(model, "_subtype_map", {}).items():
        named = subtypes.get(body.get(model._attribute_map[attribute]["key"]))
        if named:
            found: type = getattr(sys.modules[model.__module__], named)
            return found
    return model


def ask_clients(azure: FakeAzure, *, group: str, names: Mapping[str, str]) -> Any:
    """Run Microsoft's clients for Node; gives what they read."""
    claims = {"aud": "https://management.azure.com", "oid": OPERATOR}
    token = "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".x"
    script = ROOT / "tests/deploy/azure/clients.mjs"
    command = ["node", str(script), azure.tls_url, token, SUBSCRIPTION, group, json.dumps(names)]
    env = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(azure.certificate)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
