"""Route 53 and Azure Traffic Manager, through octoDNS: health-checked records that switch by themselves."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from octodns.processor.filter import NameAllowlistFilter
from octodns.provider.base import BaseProvider
from octodns.record import Record
from octodns.zone import Zone

from handlers.dns.declaration import Declaration
from handlers.dns.plan import HostPlan

_SDK_ATTEMPT_COUNT = 2  # a dead DNS host must not hold the others up


class OctoDnsHost:
    """One provider of octoDNS. Only the declared name is looked at; whatever else is in the zone stays."""

    def __init__(self, provider: BaseProvider, declaration: Declaration) -> None:
        self._provider = provider
        self._declaration = declaration

    def plan(self) -> HostPlan:
        wanted = zone_of(self._declaration)
        only_ours = NameAllowlistFilter("only-ours", [self._declaration.name])
        plan = self._provider.plan(wanted, processors=[only_ours])
        new = _targets([record for record in wanted.records if record.name == self._declaration.name])
        if plan is None:
            return HostPlan(changes=(), before=new, after=new, apply=lambda: None)
        before = _targets([change.existing for change in plan.changes if change.existing])

        def apply() -> None:
            plan.raise_if_unsafe()  # `apply` does not ask by itself
            self._provider.apply(plan)

        changes = tuple(
            f"{type(change).__name__} {change.record.fqdn} {change.record._type}" for change in plan.changes
        )
        return HostPlan(changes=changes, before=before, after=new, apply=apply)

    def plan_switch(self, target: str) -> HostPlan | None:
        return None


def zone_of(declaration: Declaration) -> Zone:
    """The zone as octoDNS wants it: one record with a pool for each target, each falling back to the next."""
    zone = Zone(declaration.zone, [])
    zone.add_record(Record.new(zone, declaration.name, record_data(declaration)))
    return zone


def record_data(declaration: Declaration) -> dict[str, Any]:
    """The record, in the shape of octoDNS's YAML: docs of octoDNS, "Dynamic records"."""
    health = declaration.health
    clouds = list(declaration.targets)
    pools: dict[str, Any] = {cloud: {"values": [{"value": value}]} for cloud, value in declaration.targets.items()}
    for cloud, following in pairwise(clouds):
        pools[cloud]["fallback"] = following
    return {
        "type": declaration.record_type,
        "ttl": declaration.ttl_s,
        "value": declaration.targets[clouds[0]],  # the answer when all are down: the first, as if all were healthy
        "dynamic": {"pools": pools, "rules": [{"pool": clouds[0]}]},
        "octodns": {
            "healthcheck": {
                # octoDNS would send the record's own name as Host, and Cloud Run and Azure answer 404 to that.
                "host": None if declaration.record_type == "CNAME" else declaration.fqdn.removesuffix("."),
                "path": health.path,
                "port": health.port,
                "protocol": health.protocol.upper(),
            },
            "route53": {
                "healthcheck": {"request_interval": health.interval_s, "failure_threshold": health.threshold_count}
            },
            "azuredns": {
                "healthcheck": {
                    "interval": health.interval_s,
                    "timeout": health.timeout_s,
                    "num_failures": health.threshold_count - 1,  # Azure counts those that it tolerates
                }
            },
        },
    }


def route53_provider(settings: Mapping[str, Any]) -> BaseProvider:
    from octodns_route53 import Route53Provider  # imported when needed: half a second of CPU

    return Route53Provider("route53", client_max_attempts=_SDK_ATTEMPT_COUNT, root_ns_warnings=False, **settings)


def azure_provider(settings: Mapping[str, Any]) -> BaseProvider:
    from octodns_azure import AzureProvider  # as above

    renamed = {"subscription_id": "sub_id", "tenant_id": "directory_id", "client_secret": "key"}
    arguments = {renamed.get(name, name): value for name, value in settings.items()}
    return AzureProvider("azure", client_total_retries=_SDK_ATTEMPT_COUNT, root_ns_warnings=False, **arguments)


def _targets(records: list[Record]) -> frozenset[str]:
    """All values that records may lead to."""
    found: set[str] = set()
    for record in records:
        found |= {
            str(value) for value in getattr(record, "values", [getattr(record, "value", None)]) if value is not None
        }
        if getattr(record, "dynamic", None):
            found |= {str(value["value"]) for pool in record.dynamic.pools.values() for value in pool.data["values"]}
    return frozenset(found)
