"""The judge of bodies for Azure sees mistakes: a judge that sees none would find every body right."""

from typing import Any

import pytest

from tests.deploy.azure import judges

_SITE, _ACCOUNT = "Microsoft.Web/sites", "Microsoft.Storage/storageAccounts"
_EVENTS, _ROLE = "Microsoft.EventGrid/systemTopics/eventSubscriptions", "Microsoft.Authorization/roleAssignments"


def queue(**properties: str) -> dict[str, Any]:
    """The body of a subscription that delivers to a queue."""
    destination = {"endpointType": "StorageQueue", "properties": properties}
    return {"deliveryWithResourceIdentity": {"identity": {"type": "SystemAssigned"}, "destination": destination}}


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (_SITE, {"httpsOnly": True, "functionAppConfig": {"runtime": {"name": "python", "version": "3.13"}}}),
        (_ACCOUNT, {"minimumTlsVersion": "TLS1_2", "allowSharedKeyAccess": False}),
        (_EVENTS, queue(queueName="work")),
        (_ROLE, {"principalId": "p", "roleDefinitionId": "r", "principalType": "User"}),
    ],
)
def test_right_bodies(kind: str, properties: dict[str, Any]) -> None:
    """There is nothing to say about them."""
    assert list(judges.complaints(judges.MODELS[kind], {"properties": properties})) == []


@pytest.mark.parametrize(
    ("kind", "properties", "complaint"),
    [
        (_SITE, {"functionAppConfig": {"runtme": {}}}, "properties.functionAppConfig.runtme is not known"),
        (
            _SITE,
            {"functionAppConfig": {"runtime": {"name": "pyton"}}},
            "properties.functionAppConfig.runtime.name may be",
        ),
        (_SITE, {"httpsOnly": "yes"}, "properties.httpsOnly is no bool"),
        (_SITE, {"defaultHostName": "x"}, "properties.defaultHostName is only read"),
        (_ACCOUNT, {"minimumTlsVersion": "TLS9"}, "properties.minimumTlsVersion may be"),
        (_EVENTS, {"filter": {"subject": ""}}, "properties.filter.subject is not known"),
        (_EVENTS, queue(queue="work"), "destination.properties.queue is not known"),
        (_EVENTS, {"retryPolicy": {"maxDeliveryAttempts": "30"}}, "retryPolicy.maxDeliveryAttempts is no int"),
        (
            _ROLE,
            {"principalId": "p", "roleDefinitionId": "r", "createdBy": "me"},
            "properties.createdBy is only read",
        ),
        (_ROLE, {"principalId": "p"}, "properties.roleDefinitionId is required"),
    ],
)
def test_each_mistake_is_seen(kind: str, properties: dict[str, Any], complaint: str) -> None:
    """One mistake, one complaint that names its place."""
    [told] = judges.complaints(judges.MODELS[kind], {"properties": properties})

    assert complaint in told
