"""Google Cloud DNS over its REST API (dns.v1). octoDNS has no dynamic records for it, so the record set is made here.

Its health-checked policies take IP addresses only. Host names get a static record, which only `switch` moves.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from handlers.dns.declaration import Declaration, DeclarationError
from handlers.dns.plan import DnsHostError, HostPlan, LostRaceError

API = "https://dns.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
_TIMEOUT_S = 10.0
_STATIC_NOTE = "host names get no health checks in Google Cloud DNS: this record is static, and only `switch` moves it"
_ORDER_NOTE = "after the first target fails, all others that are healthy are answered; Google keeps no order among them"


class Session(Protocol):
    """Of google-auth's AuthorizedSession, or requests' Session, what is used here."""

    def request(self, method: str, url: str, **options: Any) -> Any: ...


class GoogleDnsHost:
    """One managed zone. Every change names what it replaces, so that of two writers one is told that it lost."""

    def __init__(
        self,
        declaration: Declaration,
        *,
        session: Session,
        settings: Mapping[str, str],
        serving: Mapping[str, bool],
        api: str = API,
    ) -> None:
        self._declaration = declaration
        self._session = session
        self._settings = settings
        self._serving = serving
        self._url = f"{api}/dns/v1/projects/{settings['project']}/managedZones/{settings['managed_zone']}"

    def plan(self) -> HostPlan:
        found = self._read()
        if self._declaration.record_type != "CNAME":
            return self._plan(found, health_checked_set(self._declaration, settings=self._settings), note=_ORDER_NOTE)
        values = list(self._declaration.targets.values())
        standing = [value for value in values if found and value in targets_of(found)]
        # A static record stays where a switch has put it, as long as that is declared.
        chosen = (standing or [value for value in values if self._serving[value]] or values)[0]
        return self._plan(found, static_set(self._declaration, chosen), note=_STATIC_NOTE)

    def plan_switch(self, target: str) -> HostPlan | None:
        if self._declaration.record_type != "CNAME":
            return None
        return self._plan(self._read(), static_set(self._declaration, target), note="")

    def _plan(self, found: dict[str, Any] | None, wanted: dict[str, Any], *, note: str) -> HostPlan:
        before, after = targets_of(found or {}), targets_of(wanted)
        if found and _without_kinds(found) == wanted:
            return HostPlan(changes=(), before=before, after=after, note=note, apply=lambda: None)
        verb = "Update" if found else "Create"
        changes = (f"{verb} {wanted['name']} {wanted['type']}: {', '.join(sorted(after))}",)
        return HostPlan(
            changes=changes, before=before, after=after, note=note, apply=lambda: self._replace(found, wanted)
        )

    def _read(self) -> dict[str, Any] | None:
        query = {"name": self._declaration.fqdn, "type": self._declaration.record_type}
        sets = self._call("GET", "/rrsets", params=query).get("rrsets", [])
        return sets[0] if sets else None

    def _replace(self, found: dict[str, Any] | None, wanted: dict[str, Any]) -> None:
        change: dict[str, Any] = {"additions": [wanted]}
        if found:
            change["deletions"] = [found]  # Google refuses with 412 or 404 if this is no longer what stands
        self._call("POST", "/changes", json=change)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._session.request(method, self._url + path, timeout=_TIMEOUT_S, **options)
        if method == "POST" and answer.status_code in (404, 409, 412):
            raise LostRaceError(f"the record was changed meanwhile (status {answer.status_code})")
        if answer.status_code != 200:
            raise DnsHostError(f"{method} {path}: status {answer.status_code}: {answer.text[:200]}")
        body: dict[str, Any] = answer.json()
        return body


def static_set(declaration: Declaration, target: str) -> dict[str, Any]:
    """A ResourceRecordSet (dns.v1) that leads to one target."""
    return _record_set(declaration) | {"rrdatas": [target]}


def health_checked_set(declaration: Declaration, *, settings: Mapping[str, str]) -> dict[str, Any]:
    """A ResourceRecordSet (dns.v1) that leads to the first target, and to the others once that is down.

    Raises:
        DeclarationError: The health check, or the location of the others, is not declared, or there are no others.
    """
    missing = {"health_check", "backup_location"} - settings.keys()
    if missing:
        raise DeclarationError(f"hosts.google_cloud_dns: {', '.join(sorted(missing))} is needed with IP addresses")
    first, *others = declaration.targets.values()
    if not others:
        raise DeclarationError("targets: a health-checked policy of Google Cloud DNS needs at least two")
    backup = {"location": settings["backup_location"], "healthCheckedTargets": {"externalEndpoints": others}}
    policy = {
        "healthCheck": settings["health_check"],
        "primaryBackup": {
            "primaryTargets": {"externalEndpoints": [first]},
            "backupGeoTargets": {"items": [backup]},
        },
    }
    return _record_set(declaration) | {"routingPolicy": policy}


def targets_of(record_set: Mapping[str, Any]) -> frozenset[str]:
    """All values that a ResourceRecordSet may lead to."""
    policy = record_set.get("routingPolicy", {}).get("primaryBackup", {})
    found = set(record_set.get("rrdatas", ())) | set(policy.get("primaryTargets", {}).get("externalEndpoints", ()))
    for item in policy.get("backupGeoTargets", {}).get("items", ()):
        found |= set(item.get("healthCheckedTargets", {}).get("externalEndpoints", ())) | set(item.get("rrdatas", ()))
    return frozenset(found)


def _record_set(declaration: Declaration) -> dict[str, Any]:
    return {"name": declaration.fqdn, "type": declaration.record_type, "ttl": declaration.ttl_s}


def _without_kinds(value: Any) -> Any:
    """What Google adds to every object of an answer ("kind", empty lists) left out, to compare with what was sent."""
    if isinstance(value, dict):
        return {name: _without_kinds(part) for name, part in value.items() if name != "kind" and part != []}
    if isinstance(value, list):
        return [_without_kinds(part) for part in value]
    return value
