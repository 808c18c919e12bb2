"""What Google's services add to what they are told: it is not declared, and must not look like a change."""

import copy
from typing import Any

ADDED_TO_BUCKET: dict[str, Any] = {
    "metageneration": "1",
    "storageClass": "STANDARD",
    "iamConfiguration": {
        "bucketPolicyOnly": {"enabled": True},
        "uniformBucketLevelAccess": {"lockedTime": "2026-11-25T00:00:00Z"},
    },
    "softDeletePolicy": {"effectiveTime": "2026-11-25T00:00:00Z"},
}
ADDED_TO_FUNCTION: dict[str, Any] = {
    "updateTime": "2026-11-25T00:00:00Z",
    "labels": {"deployed-by": "api"},
    "buildConfig": {"dockerRegistry": "ARTIFACT_REGISTRY", "automaticUpdatePolicy": {}},
    "serviceConfig": {"availableCpu": "0.1666", "revision": "one"},
}

ADDED_TO_JOB: dict[str, Any] = {
    "state": "ENABLED",
    "userUpdateTime": "2026-11-25T00:00:00Z",
    "httpTarget": {"headers": {"User-Agent": "Google-Cloud-Scheduler"}},
    "retryConfig": {
        "maxRetryDuration": "0s",
        "minBackoffDuration": "5s",
        "maxBackoffDuration": "3600s",
        "maxDoublings": 5,
    },
}


def filled_in(told: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    """What was told, with what the service adds at any depth."""
    both = {**copy.deepcopy(added), **copy.deepcopy(told)}
    for name in told.keys() & added.keys():
        if isinstance(told[name], dict):
            both[name] = filled_in(told[name], added[name])
    return both
