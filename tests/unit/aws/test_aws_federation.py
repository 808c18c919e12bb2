"""AWS reached with the token of another cloud, against an emulated STS and SQS that note what they are asked."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from werkzeug.wrappers import Response

from core.errors import ProviderUnusableError
from providers.aws import clients
from providers.aws.object_store import S3ObjectStore
from providers.aws.work_queue import SqsWorkQueue
from tests.unit.identity_endpoints import Asked, Endpoints, as_json, identity_endpoints

ROLE = "arn:aws:iam::111122223333:role/sluice-drain"
QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/111122223333/work"
STS_ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIALENT</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>lent</SessionToken><Expiration>{ends_at}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
STS_REFUSAL = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>InvalidIdentityToken</Code><Message>secret</Message></Error></ErrorResponse>"""


class Aws:
    """STS and SQS behind one URL."""

    def __init__(self) -> None:
        self.valid_for = timedelta(hours=1)
        self.is_refusing = False

    def answer(self, asked: Asked) -> Response:
        if asked.form.get("Action") != "AssumeRoleWithWebIdentity":
            return as_json({})  # an empty queue
        if self.is_refusing:
            return Response(STS_REFUSAL, status=400)
        ends_at = (datetime.now(UTC) + self.valid_for).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Response(STS_ANSWER.format(ends_at=ends_at), content_type="text/xml")


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("token of another cloud")
    return path


@pytest.fixture
def cloud(
    aws: Aws, token_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Endpoints]:
    """The environment of a drain that has no key of AWS, and clients that were not used yet."""
    caplog.set_level(logging.CRITICAL, logger="werkzeug")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    nowhere = str(token_file.parent / "nowhere")
    with identity_endpoints(aws.answer) as endpoints:
        env = {
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": endpoints.url,
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        }
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(clients, "_clients", {})
        monkeypatch.setattr(clients, "_session", None)
        yield endpoints
        for client in clients._clients.values():
            client.close()


def receive() -> None:
    SqsWorkQueue(queue_url=QUEUE_URL, client=clients.sqs()).receive(limit=1, wait_s=0, visibility_timeout_s=1)


def roles_asked_for(cloud: Endpoints) -> list[Asked]:
    return [asked for asked in cloud.asked if asked.form.get("Action") == "AssumeRoleWithWebIdentity"]


def test_queue_is_asked_as_the_role(cloud: Endpoints) -> None:
    """STS gets the file's token and the role's name, once, and SQS is asked with what STS lent."""
    receive()
    receive()

    (asked,) = roles_asked_for(cloud)
    calls = [call for call in cloud.asked if call is not asked]
    assert (asked.form["WebIdentityToken"], asked.form["RoleArn"]) == ("token of another cloud", ROLE)
    assert "authorization" not in asked.headers
    assert [call.headers["x-amz-security-token"] for call in calls] == ["lent", "lent"]
    assert all("Credential=ASIALENT/" in call.headers["authorization"] for call in calls)


def test_file_is_read_again_when_the_session_ends(aws: Aws, cloud: Endpoints, token_file: Path) -> None:
    """A drain that takes longer than a session goes on with what the file holds then."""
    aws.valid_for = timedelta(minutes=5)  # botocore renews what ends within ten minutes
    receive()
    token_file.write_text("renewed")

    receive()

    assert roles_asked_for(cloud)[-1].form["WebIdentityToken"] == "renewed"


def test_signed_url_is_the_roles(cloud: Endpoints) -> None:
    """A URL for the peer is signed with what STS lent, and so names the session."""
    store = S3ObjectStore(bucket="bucket", client=clients.s3())

    url = store.presign_get("k", version="v1", valid_s=60)

    assert "X-Amz-Credential=ASIALENT" in url
    assert "X-Amz-Security-Token=lent" in url


def test_refused_token_makes_aws_unusable(aws: Aws, cloud: Endpoints) -> None:
    """A role that does not trust the token is told by the code of STS, without its text."""
    aws.is_refusing = True

    with pytest.raises(ProviderUnusableError, match="InvalidIdentityToken") as raised:
        receive()

    assert "secret" not in str(raised.value)
