"""Google Cloud DNS: what we send obeys Google's own description of its API, and of two writers one loses."""

import json
from importlib.resources import files
from typing import Any

import pytest
from declared import ADDRESSES, all_serving, declare

from handlers.dns.declaration import Declaration, DeclarationError
from handlers.dns.google_dns import GoogleDnsHost, health_checked_set
from handlers.dns.plan import LostRaceError

DOCUMENT = json.loads((files("googleapiclient") / "discovery_cache/documents/dns.v1.json").read_text())
NAMED = {"project": "p", "managed_zone": "z"}
CHECKED = {**NAMED, "health_check": "projects/p/global/healthChecks/serving", "backup_location": "europe-west3"}
PYTHON_TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


def complaints(value: Any, schema: dict[str, Any], where: str = "$") -> list[str]:
    """What in a body is not of Google's schema: unknown names and wrong types, at any depth."""
    schema = DOCUMENT["schemas"][schema["$ref"]] if "$ref" in schema else schema
    match schema["type"]:
        case "object":
            known = schema["properties"]
            unknown = [f"{where}.{name} is unknown" for name in value.keys() - known.keys()]
            parts = [complaints(part, known[n], f"{where}.{n}") for n, part in value.items() if n in known]
            return unknown + [complaint for part in parts for complaint in part]
        case "array":
            return [c for i, part in enumerate(value) for c in complaints(part, schema["items"], f"{where}[{i}]")]
        case kind:
            return [] if isinstance(value, PYTHON_TYPES[kind]) else [f"{where} is no {kind}"]


class Answer:
    def __init__(self, status_code: int, body: dict[str, Any]) -> None:
        self.status_code = status_code
        self._body = body
        self.text = json.dumps(body)

    def json(self) -> dict[str, Any]:
        return self._body


class FakeCloudDns:
    """One managed zone: judges each change by Google's schema, and refuses to delete what does not stand exactly so."""

    def __init__(self) -> None:
        self.sets: list[dict[str, Any]] = []

    def request(self, method: str, url: str, *, timeout: float, params: Any = None, json: Any = None) -> Answer:
        assert url.startswith("https://dns.googleapis.com/dns/v1/projects/p/managedZones/z/")
        if method == "GET":
            found = [s for s in self.sets if (s["name"], s["type"]) == (params["name"], params["type"])]
            return Answer(200, {"kind": "dns#resourceRecordSetsListResponse", "rrsets": found})
        assert complaints(json, {"$ref": "Change"}) == []
        if any(gone not in self.sets for gone in json.get("deletions", [])):
            return Answer(412, {"error": {"message": "Precondition not met for 'entity.change.deletions[0]'"}})
        left = [s for s in self.sets if s not in json.get("deletions", [])]
        self.sets = left + [{"kind": "dns#resourceRecordSet", **added} for added in json["additions"]]
        return Answer(200, {"kind": "dns#change", "status": "pending"})


def host_for(
    declaration: Declaration, fake: FakeCloudDns, *, but: tuple[str, ...] = (), **settings: str
) -> GoogleDnsHost:
    serving = all_serving(declaration, but=but)
    return GoogleDnsHost(declaration, session=fake, settings={**NAMED, **settings}, serving=serving)


def test_health_checked_set_obeys_googles_schema() -> None:
    """The policy with the first as primary and the others behind it has no unknown name and no wrong type."""
    record_set = health_checked_set(declare(targets=ADDRESSES), settings=CHECKED)

    assert complaints(record_set, {"$ref": "ResourceRecordSet"}) == []
    primary = record_set["routingPolicy"]["primaryBackup"]["primaryTargets"]
    assert primary == {"externalEndpoints": ["192.0.2.1"]}


def test_the_judge_notices_wrong_bodies() -> None:
    """The check above can fail: a misspelt name and a number as text are both found."""
    record_set = health_checked_set(declare(targets=ADDRESSES), settings=CHECKED)
    record_set["routingPolicy"]["primaryBackup"]["primaryTarget"] = {}

    found = complaints({**record_set, "ttl": "30"}, {"$ref": "ResourceRecordSet"})

    assert sorted(found) == ["$.routingPolicy.primaryBackup.primaryTarget is unknown", "$.ttl is no integer"]


@pytest.mark.parametrize("targets", [ADDRESSES, None], ids=["addresses", "names"])
def test_plan_apply_then_nothing_to_plan(targets: dict[str, str] | None) -> None:
    """Both kinds of record are made once."""
    declaration = declare(targets=targets) if targets else declare()
    fake = FakeCloudDns()
    host_for(declaration, fake, **CHECKED).plan().apply()

    assert host_for(declaration, fake, **CHECKED).plan().changes == ()
    assert len(fake.sets) == 1


def test_host_names_are_static_and_say_so() -> None:
    """The first serving target is answered, and the plan says that nothing moves it by itself."""
    plan = host_for(declare(), FakeCloudDns(), but=("aws",)).plan()

    assert plan.after == {"b.gcp.example."}
    assert "static" in plan.note


def test_late_switch_loses() -> None:
    """Of two switches planned on the same record, the second is told that it lost, and changes nothing."""
    fake = FakeCloudDns()
    host = host_for(declare(), fake)
    host.plan().apply()
    early, late = host.plan_switch("b.gcp.example."), host.plan_switch("c.azure.example.")
    early.apply()

    with pytest.raises(LostRaceError):
        late.apply()

    assert fake.sets[0]["rrdatas"] == ["b.gcp.example."]


def test_addresses_without_a_health_check_are_refused() -> None:
    """The error names the missing settings."""
    with pytest.raises(DeclarationError, match="backup_location, health_check"):
        health_checked_set(declare(targets=ADDRESSES), settings=NAMED)
