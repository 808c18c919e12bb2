"""Route 53 (through moto) and Azure Traffic Manager (through a fake of ARM): plan, apply, and nothing left to plan."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from declared import all_serving, declare
from fake_arm import GROUP, FakeArm
from moto import mock_aws
from octodns.provider.plan import Plan, UnsafePlan
from octodns.record import Create, Record
from octodns.zone import Zone

from handlers.dns.octodns_host import OctoDnsHost, azure_provider, route53_provider
from handlers.dns.plan import why_refused


@pytest.fixture
def route53(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("route53")
        client.create_hosted_zone(Name="drill.test.", CallerReference="1")
        yield client


def route53_host(**changes: Any) -> OctoDnsHost:
    provider = route53_provider({})
    original = provider._conn.list_health_checks
    # moto 5.2.5 leaves out IsTruncated, which the real service always sends
    provider._conn.list_health_checks = lambda **options: {"IsTruncated": False, **original(**options)}
    return OctoDnsHost(provider, declare(**changes))


class Token(NamedTuple):
    token: str = "test"
    expires_on: int = 4_000_000_000


class Credential:
    def get_token(self, *scopes: str, **options: Any) -> Token:
        return Token()


@pytest.fixture
def arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeArm]:
    fake = FakeArm(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(fake.certificate_path))
    yield fake
    fake.close()


def azure_host(arm: FakeArm, **changes: Any) -> OctoDnsHost:
    secrets = {"tenant_id": "t", "client_id": "c", "client_secret": "s"}
    settings = {"subscription_id": "sub", "resource_group": "group", "base_url": arm.url, **secrets}
    provider = azure_provider(settings)
    provider._AzureBaseProvider__client_credential = Credential()  # Entra ID is not part of the fake
    return OctoDnsHost(provider, declare(**changes))


def test_route53_plan_apply_then_nothing_to_plan(route53: Any) -> None:
    """The declared record is made once; the second plan is empty."""
    first = route53_host().plan()
    first.apply()

    assert first.changes == ("Create ingest.drill.test. CNAME",)
    assert route53_host().plan().changes == ()


def test_route53_health_checks_ask_each_target_by_its_own_name(route53: Any) -> None:
    """Each check sends the target's own host name, path, interval and threshold as declared."""
    route53_host().plan().apply()

    configs = [check["HealthCheckConfig"] for check in route53.list_health_checks()["HealthChecks"]]
    asked = {config["FullyQualifiedDomainName"].removesuffix(".") for config in configs}
    assert asked == {"a.aws.example", "b.gcp.example", "c.azure.example"}
    assert {(c["ResourcePath"], c["RequestInterval"], c["FailureThreshold"]) for c in configs} == {
        ("/v1/serving", 10, 3)
    }


def test_other_names_in_the_zone_are_left_alone(route53: Any) -> None:
    """A record that dns.yml does not declare is not removed."""
    zone_id = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    record = {"Name": "other.drill.test.", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "192.0.2.9"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)

    route53_host().plan().apply()

    names = {r["Name"] for r in route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]}
    assert "other.drill.test." in names
    assert "ingest.drill.test." in names


def test_plan_that_drops_the_only_serving_target_is_refused(route53: Any) -> None:
    """Of what stands in Route 53 aws serves; a declaration without it is refused while no other one serves."""
    route53_host().plan().apply()
    left = {"gcp": "b.gcp.example.", "azure": "c.azure.example."}
    plan = route53_host(targets=left).plan()

    none_serves = all_serving(declare(targets=left), but=("gcp", "azure"))
    one_serves = all_serving(declare(targets=left), but=("gcp",))

    assert "a.aws.example." in why_refused(plan, none_serves)
    assert why_refused(plan, one_serves) == ""


class UnsafePlanProvider:
    """A provider whose plan octoDNS calls unsafe."""

    def __init__(self) -> None:
        self.applied_count = 0

    def plan(self, wanted: Zone, processors: list[Any]) -> Plan:
        """The same change of the zone's own name servers that octoDNS always wants forced."""
        servers = Record.new(wanted, "", {"type": "NS", "ttl": 60, "values": ["ns.example."]})
        return Plan(wanted, wanted, [Create(servers)], True)

    def apply(self, plan: Plan) -> None:
        self.applied_count += 1


def test_plan_that_octodns_calls_unsafe_is_not_applied() -> None:
    """octoDNS is asked before the apply, and its no stands."""
    provider = UnsafePlanProvider()
    plan = OctoDnsHost(provider, declare()).plan()

    with pytest.raises(UnsafePlan):
        plan.apply()

    assert provider.applied_count == 0


def test_azure_plan_apply_then_nothing_to_plan(arm: FakeArm) -> None:
    """Traffic Manager gets the declared numbers and order; the second plan is empty."""
    first = azure_host(arm).plan()
    first.apply()

    profiles = arm.under(f"{GROUP}/trafficManagerProfiles", depth=1)
    root = next(p["properties"] for p in profiles if p["properties"]["trafficRoutingMethod"] == "Priority")
    monitor = root["monitorConfig"]
    endpoints = [endpoint["properties"] for endpoint in root["endpoints"]]
    assert [endpoint["priority"] for endpoint in endpoints] == [1, 2, 3, 4]
    assert [endpoint.get("target") for endpoint in endpoints][1:] == [
        "b.gcp.example",
        "c.azure.example",
        "a.aws.example",
    ]
    numbers = ("intervalInSeconds", "toleratedNumberOfFailures", "timeoutInSeconds")
    assert [monitor[name] for name in numbers] == [10, 2, 5]
    assert (monitor["path"], monitor.get("customHeaders")) == ("/v1/serving", None)
    assert azure_host(arm).plan().changes == ()


def test_azure_change_of_a_target_is_planned_and_applied(arm: FakeArm) -> None:
    """A new host name of one cloud is an update, and then nothing is left."""
    azure_host(arm).plan().apply()
    moved = {"aws": "a.aws.example.", "gcp": "b2.gcp.example.", "azure": "c.azure.example."}

    plan = azure_host(arm, targets=moved).plan()
    plan.apply()

    assert plan.before - plan.after == {"b.gcp.example."}
    assert azure_host(arm, targets=moved).plan().changes == ()
