"""What Google says of its own APIs: the discovery documents of google-api-python-client, as a judge of requests.

They tell every method's path, query and body, with types, closed sets and what is read-only; not which fields are
required, nor what a request means.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

_DOCUMENTS = (
    "cloudfunctions.v2",
    "cloudresourcemanager.v3",
    "cloudscheduler.v1",
    "firestore.v1",
    "iam.v1",
    "iamcredentials.v1",
    "logging.v2",
    "pubsub.v1",
    "run.v2",
    "secretmanager.v1",
    "serviceusage.v1",
    "serviceusage.v1beta1",
    "storage.v1",
)
# Its parameter's description names the root of a database, too, which its pattern leaves out.
_ALSO_ROOT = {
    "firestore.projects.databases.documents.listCollectionIds": (
        "v1/projects/{projectsId}/databases/{databasesId}/documents:listCollectionIds"
    )
}
_TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of an API.

    Attributes:
        name: "pubsub.projects.topics.create".
        path: Matches its path, without the host.
    """

    name: str
    host: str
    http_method: str
    path: re.Pattern[str]
    described: Mapping[str, Any]
    schemas: Mapping[str, Any]
    global_query: frozenset[str]

    def complaints(self, query: Mapping[str, list[str]], body: Any) -> list[str]:
        """What of a request is not in the description."""
        known = self.described.get("parameters", {})
        found = [f"{self.name}: ?{name} is unknown" for name in query.keys() - known.keys() - self.global_query]
        found += [
            f"{self.name}: ?{name} is repeated"
            for name, values in query.items()
            if len(values) > 1 and not known.get(name, {}).get("repeated")
        ]
        if body is None:
            return found
        if "request" not in self.described:
            return [*found, f"{self.name}: takes no body"]
        return found + self._complaints(body, self.described["request"], f"{self.name}: $", is_request=True)

    def answer_complaints(self, body: Any) -> list[str]:
        """What of an answer is not: of the stand-in, then, which may not invent fields."""
        if "response" not in self.described or body is None:
            return []
        return self._complaints(body, self.described["response"], f"answer of {self.name}: $", is_request=False)

    def _complaints(self, value: Any, schema: Mapping[str, Any], where: str, *, is_request: bool) -> list[str]:
        schema = self.schemas[schema["$ref"]] if "$ref" in schema else schema
        if is_request and schema.get("readOnly"):
            return [f"{where} is read-only"]
        match schema.get("type"):
            case "any":
                return []
            case "object":
                return self._object_complaints(value, schema, where, is_request=is_request)
            case "array":
                if not isinstance(value, list):
                    return [f"{where} is no list"]
                parts = (
                    self._complaints(part, schema["items"], f"{where}[{i}]", is_request=is_request)
                    for i, part in enumerate(value)
                )
                return [complaint for part in parts for complaint in part]
            case kind:
                return list(_plain_complaints(value, schema, str(kind), where))

    def _object_complaints(self, value: Any, schema: Mapping[str, Any], where: str, *, is_request: bool) -> list[str]:
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        found = []
        for name, part in value.items():
            described = known.get(name, other)
            if described is None:
                found.append(f"{where}.{name} is unknown")
            else:
                found += self._complaints(part, described, f"{where}.{name}", is_request=is_request)
        return found


def _plain_complaints(value: Any, schema: Mapping[str, Any], kind: str, where: str) -> Iterator[str]:
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{where} is no {kind}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, and none of {', '.join(schema['enum'])}"
    elif schema.get("format") == "int64" and not re.fullmatch(r"-?\d+", str(value)):
        yield f"{where} is no number"


@cache
def methods() -> tuple[Method, ...]:
    """Every method of every document."""
    return tuple(method for name in _DOCUMENTS for method in _methods_of(name))


def find_method(http_method: str, host: str, path: str) -> Method | None:
    """The method that a request calls."""
    found = (m for m in methods() if (m.http_method, m.host) == (http_method, host) and m.path.fullmatch(path))
    return next(found, None)


def _methods_of(document: str) -> Iterator[Method]:
    text = (files("googleapiclient") / f"discovery_cache/documents/{document}.json").read_text()
    described = json.loads(text)
    for method in _walk(described):
        flat = described["servicePath"] + _ALSO_ROOT.get(method["id"], method.get("flatPath", method["path"]))
        yield Method(
            name=method["id"],
            host=urlsplit(described["rootUrl"]).netloc,
            http_method=method["httpMethod"],
            path=re.compile(re.sub(r"\\\{\w+\\\}", "([^/:]+)", re.escape("/" + flat))),
            described=method,
            schemas=described["schemas"],
            global_query=frozenset(described["parameters"]),
        )


def _walk(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from resource.get("methods", {}).values()
    for part in resource.get("resources", {}).values():
        yield from _walk(part)
