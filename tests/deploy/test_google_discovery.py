"""The judge of requests to Google can say no."""

from typing import Any

import pytest

from tests.deploy.discovery import find_method

RULE: dict[str, Any] = {"topic": "projects/p/topics/t", "ackDeadlineSeconds": 60}


def complaints(body: Any, **query: list[str]) -> list[str]:
    method = find_method("PUT", "pubsub.googleapis.com", "/v1/projects/p/subscriptions/s")
    assert method is not None
    return [
        complaint.removeprefix("pubsub.projects.subscriptions.create: ") for complaint in method.complaints(query, body)
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"ackDeadline": 60}, "$.ackDeadline is unknown"),
        ({"ackDeadlineSeconds": "60"}, "$.ackDeadlineSeconds is no integer"),
        ({"retryPolicy": {"minimumBackoff": 10}}, "$.retryPolicy.minimumBackoff is no string"),
        ({"labels": ["a"]}, "$.labels is no object"),
        ({"state": "ACTIVE"}, "$.state is read-only"),
        ({"cloudStorageConfig": {"bucket": "b", "state": "X"}}, "$.cloudStorageConfig.state is read-only"),
    ],
)
def test_wrong_bodies_are_noticed(change: dict[str, Any], complaint: str) -> None:
    """Unknown names, wrong types and what only Google may set, at any depth."""
    assert complaints(RULE | change) == [complaint]


def test_closed_sets_are_known() -> None:
    """A value that is none of those that Google lists is noticed."""
    path = "/v2/projects/p/locations/l/functions"
    method = find_method("POST", "cloudfunctions.googleapis.com", path)
    assert method is not None

    [complaint] = method.complaints({"functionId": ["f"]}, {"environment": "GEN_3"})

    assert complaint.endswith("$.environment is 'GEN_3', and none of ENVIRONMENT_UNSPECIFIED, GEN_1, GEN_2")


def test_queries_are_known() -> None:
    """A query that the method does not have is noticed; a right request has no complaint."""
    assert complaints(RULE, subscriptionId=["s"]) == ["?subscriptionId is unknown"]
    assert complaints(RULE) == []


def test_methods_are_known() -> None:
    """Another verb, path or host is no method."""
    assert find_method("POST", "pubsub.googleapis.com", "/v1/projects/p/subscriptions/s") is None
    assert find_method("PUT", "pubsub.googleapis.com", "/v2/projects/p/subscriptions/s") is None
    assert find_method("PUT", "run.googleapis.com", "/v1/projects/p/subscriptions/s") is None
