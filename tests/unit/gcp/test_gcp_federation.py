"""Google Cloud reached with the token of another cloud: google-auth's external account, against emulated endpoints."""

import base64
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import google.auth.iam
import pytest
from werkzeug.wrappers import Response

from core.errors import ProviderUnusableError
from providers.gcp import clients
from providers.gcp.clients import GoogleApi
from providers.gcp.identity import Identity
from providers.gcp.object_store import GcsObjectStore
from providers.gcp.signing import signed_url
from tests.contract.gcp_server import TestSigner
from tests.unit.identity_endpoints import Asked, Endpoints, as_json, identity_endpoints

AT_MS = 1_795_496_497_337
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/sluice/providers/aws"
SIGNER = TestSigner()


def answer(asked: Asked) -> Response:
    """Google's STS, its IAM credentials API with SIGNER's key, and a bucket without objects."""
    if asked.path == "/sts":
        return as_json({"access_token": "pool", "expires_in": 3600, "token_type": "Bearer"})
    if asked.path.endswith(":generateAccessToken"):
        ends_at = datetime.now(UTC) + timedelta(hours=1)
        return as_json({"accessToken": "account", "expireTime": f"{ends_at:%Y-%m-%dT%H:%M:%SZ}"})
    if asked.path.endswith(":signBlob"):
        signature = SIGNER.sign(base64.b64decode(json.loads(asked.body)["payload"]))
        return as_json({"signedBlob": base64.b64encode(signature).decode()})
    return as_json({})


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Endpoints]:
    """Google Cloud, and the environment of a drain that has no key of it."""
    caplog.set_level(logging.CRITICAL, logger="werkzeug")
    with identity_endpoints(answer) as endpoints:
        configure(tmp_path, endpoints.url, impersonate=True)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "configuration.json"))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project")
        monkeypatch.setattr(clients, "_credentials", Identity(make_request=clients._auth_request))
        # The one address that an external account's configuration cannot change.
        sign_url = f"{endpoints.url}/v1/projects/-/serviceAccounts/{{}}:signBlob"
        monkeypatch.setattr(google.auth.iam, "_IAM_SIGN_ENDPOINT", sign_url)
        yield endpoints


def configure(folder: Path, url: str, *, impersonate: bool) -> None:
    """Write the token, and what `gcloud iam workload-identity-pools create-cred-config` writes, for these endpoints."""
    (folder / "token").write_text("token of another cloud")
    configuration = {
        "type": "external_account",
        "universe_domain": "local.invalid",  # else google-auth looks up where the account may be used, at Google
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/sts",
        "credential_source": {"file": str(folder / "token")},
    }
    if impersonate:
        account = f"{url}/v1/projects/-/serviceAccounts/{SIGNER.account()}"
        configuration["service_account_impersonation_url"] = f"{account}:generateAccessToken"
    (folder / "configuration.json").write_text(json.dumps(configuration))


def store_at(url: str) -> GcsObjectStore:
    api = GoogleApi(url, token=clients._credentials.token)
    return GcsObjectStore(bucket="bucket", api=api, signer=clients.signer(), clock_ms=lambda: AT_MS)


def test_bucket_is_asked_as_the_service_account(cloud: Endpoints) -> None:
    """STS gets the file's token for the pool, and the bucket sees the impersonated account's token."""
    store_at(cloud.url).page()

    (exchange,) = cloud.asked_at("/sts")
    assert exchange.form["subject_token"] == "token of another cloud"
    assert exchange.form["audience"] == AUDIENCE
    assert cloud.asked_at(":generateAccessToken")[0].headers["authorization"] == "Bearer pool"
    assert cloud.asked_at("/o")[0].headers["authorization"] == "Bearer account"


def test_url_is_signed_by_the_service_account(cloud: Endpoints) -> None:
    """IAM signs for the account that is impersonated, and the URL is the one that its own key would make."""
    url = store_at(cloud.url).presign_get("k", version="7", valid_s=60)

    own = signed_url(
        "GET", cloud.url, "/bucket/k", query={"generation": "7"}, headers={}, valid_s=60, at_ms=AT_MS, signer=SIGNER
    )
    (asked,) = cloud.asked_at(":signBlob")
    assert url == own
    assert asked.path == f"/v1/projects/-/serviceAccounts/{SIGNER.account()}:signBlob"
    assert asked.headers["authorization"] == "Bearer account"


def test_nobody_signs_without_a_service_account(cloud: Endpoints, tmp_path: Path) -> None:
    """A pool's identity that impersonates nobody can read, but no URL is signed in the name of nobody."""
    configure(tmp_path, cloud.url, impersonate=False)

    with pytest.raises(ProviderUnusableError, match="NoServiceAccount"):
        store_at(cloud.url).presign_get("k", version="7", valid_s=60)

    assert cloud.asked_at(":signBlob") == []


def test_package_requests_is_not_needed(cloud: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed beside the function is enough, although google-auth by itself would ask for more."""
    monkeypatch.setitem(sys.modules, "requests", None)
    monkeypatch.delitem(sys.modules, "google.auth.transport.requests", raising=False)

    store_at(cloud.url).page()

    assert cloud.asked_at("/o")[0].headers["authorization"] == "Bearer account"
