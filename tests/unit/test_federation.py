"""The token that says who this machine is, from emulated metadata servers, and the drain that needs it."""

import json
import logging
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from werkzeug.wrappers import Response

from core.drain import Drained
from core.errors import ProviderUnusableError, StepError, TransientError
from core.ports import Message
from handlers.failover.drain import drain_cloud
from handlers.federation import federated, write_token_file
from handlers.own_token import own_token
from providers.memory.work_queue import MemoryWorkQueue
from tests.unit.identity_endpoints import Asked, as_json, identity_endpoints
from tests.unit.sites_in_memory import Clouds

AUDIENCE = "api://AzureADTokenExchange"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The servers and the renewal log what these tests provoke."""
    caplog.set_level(logging.CRITICAL)


def on_google(url: str, path: Path) -> dict[str, str]:
    """The environment of a machine of Google's that reaches Azure."""
    return {
        "SLUICE_FEDERATION": "gcp",
        "SLUICE_FEDERATION_AUDIENCE": AUDIENCE,
        "GCE_METADATA_HOST": url.removeprefix("http://"),
        "AZURE_FEDERATED_TOKEN_FILE": str(path),
    }


def test_google_gives_the_service_accounts_identity() -> None:
    """The metadata server is asked in its own way, for this audience."""
    with identity_endpoints(lambda _: Response("jwt\n")) as metadata:
        token = own_token("gcp", audience=AUDIENCE, env=on_google(metadata.url, Path()))

    (asked,) = metadata.asked
    assert token == "jwt"
    assert asked.path == "/computeMetadata/v1/instance/service-accounts/default/identity"
    assert asked.query == {"audience": AUDIENCE, "format": "full"}
    assert asked.headers["metadata-flavor"] == "Google"


def test_azure_gives_the_managed_identitys_token() -> None:
    """The audience is the resource, and one of several identities can be chosen."""
    with identity_endpoints(lambda _: as_json({"access_token": "jwt", "expires_on": "1"})) as endpoint:
        env = {"IDENTITY_ENDPOINT": f"{endpoint.url}/msi", "IDENTITY_HEADER": "h", "AZURE_CLIENT_ID": "c"}

        token = own_token("azure", audience="api://sluice", env=env)

    (asked,) = endpoint.asked
    assert token == "jwt"
    assert asked.query == {"api-version": "2019-08-01", "resource": "api://sluice", "client_id": "c"}
    assert asked.headers["x-identity-header"] == "h"


def set_aws(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The environment of a function of AWS, whose role has keys for the moment."""
    env = {"AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    for name, value in {**env, "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ENDPOINT_URL_STS": url}.items():
        monkeypatch.setenv(name, value)


def test_aws_gives_the_roles_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """STS is asked with the role's keys for a token that Entra ID can check: RS256."""
    answer = """<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetWebIdentityTokenResult>
    <WebIdentityToken>jwt</WebIdentityToken><Expiration>2026-11-25T02:00:00Z</Expiration>
    </GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"""
    with identity_endpoints(lambda _: Response(answer, content_type="text/xml")) as sts:
        set_aws(monkeypatch, sts.url)

        token = own_token("aws", audience=AUDIENCE, env={})

    (asked,) = sts.asked
    assert token == "jwt"
    assert (asked.form["Action"], asked.form["Audience.member.1"]) == ("GetWebIdentityToken", AUDIENCE)
    assert asked.form["SigningAlgorithm"] == "RS256"
    assert "Credential=ASIA/" in asked.headers["authorization"]


def test_aws_may_not_have_it_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account without outbound identity federation is told by the code of STS."""
    refusal = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
    <Code>OutboundWebIdentityFederationDisabledException</Code><Message>m</Message></Error></ErrorResponse>"""
    with identity_endpoints(lambda _: Response(refusal, status=403)) as sts:
        set_aws(monkeypatch, sts.url)

        with pytest.raises(ProviderUnusableError, match="OutboundWebIdentityFederationDisabled"):
            own_token("aws", audience=AUDIENCE, env={})


@pytest.mark.parametrize(
    ("source", "answer", "error"),
    [
        ("gcp", Response("no such account", status=404), ProviderUnusableError),
        ("azure", as_json({"error": "x"}), TransientError),
        ("azure", Response("no JSON"), TransientError),
        ("other", Response(""), ProviderUnusableError),
    ],
)
def test_no_token_is_said_plainly(source: str, answer: Response, error: type[StepError]) -> None:
    """Whatever a source answers instead of a token, it is an error of ours."""
    with identity_endpoints(lambda _: answer) as endpoint, pytest.raises(error):
        own_token(source, audience="a", env={**on_google(endpoint.url, Path()), "IDENTITY_ENDPOINT": endpoint.url})


def test_silent_source_is_about_the_moment() -> None:
    """Where nothing listens, the same call may work later."""
    with pytest.raises(TransientError):
        own_token("gcp", audience="a", env={"GCE_METADATA_HOST": "127.0.0.1:1"})


def test_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """The token replaces the old one, with mode 600, and nothing else is left beside it."""
    path = tmp_path / "token"
    path.write_text("old")
    path.chmod(0o644)
    with identity_endpoints(lambda _: Response("jwt")) as metadata:
        write_token_file(path, source="gcp", audience="a", env=on_google(metadata.url, path))

    assert path.read_text() == "jwt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    """A folder that is not there is a mistake of the settings."""
    path = tmp_path / "nowhere" / "token"
    with (
        identity_endpoints(lambda _: Response("jwt")) as metadata,
        pytest.raises(ProviderUnusableError, match="nowhere"),
    ):
        write_token_file(path, source="gcp", audience="a", env=on_google(metadata.url, path))


def test_token_is_renewed_as_long_as_it_is_needed(tmp_path: Path) -> None:
    """A renewal that fails leaves the old token; the next one replaces it; at the end there is no file."""
    path, is_renewed = tmp_path / "token", Event()
    answers = ["first", None, "third"]

    def answer(asked: Asked) -> Response:
        if not answers:
            is_renewed.set()  # whoever asks again has written the third
            return Response(status=503)
        text = answers.pop(0)
        return Response(text) if text else Response(status=503)

    with identity_endpoints(answer) as metadata:
        with federated(on_google(metadata.url, path), target="azure", renew_s=0.01):
            first = path.read_text()
            is_in_time = is_renewed.wait(20)
            last = path.read_text()

    assert (first, is_in_time, last) == ("first", True, "third")
    assert not path.exists()


def test_nothing_happens_unless_asked_for(tmp_path: Path) -> None:
    """Without SLUICE_FEDERATION a token file is somebody else's, and stays as it is."""
    path = tmp_path / "token"
    path.write_text("theirs")

    with federated({"AZURE_FEDERATED_TOKEN_FILE": str(path)}, target="azure"):
        pass

    assert path.read_text() == "theirs"


def test_missing_file_that_nobody_writes_is_refused(tmp_path: Path) -> None:
    """Who sets the file's name without SLUICE_FEDERATION has to bring the file."""
    env = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}

    with pytest.raises(ProviderUnusableError, match="AWS_WEB_IDENTITY_TOKEN_FILE"), federated(env, target="aws"):
        pass


@pytest.mark.parametrize(
    ("target", "change", "named"),
    [
        ("azure", {"SLUICE_FEDERATION_AUDIENCE": ""}, "SLUICE_FEDERATION_AUDIENCE"),
        ("azure", {"AZURE_FEDERATED_TOKEN_FILE": ""}, "AZURE_FEDERATED_TOKEN_FILE"),
        ("azure", {"SLUICE_STORAGE": "AccountKey=k"}, "SLUICE_STORAGE is set"),
        ("aws", {}, "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("aws", {"AWS_ACCESS_KEY_ID": "AKIA"}, "AWS_ACCESS_KEY_ID is set"),
        ("gcp", {}, "GOOGLE_APPLICATION_CREDENTIALS"),
        ("gcp", {"GOOGLE_APPLICATION_CREDENTIALS": __file__}, "GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_settings_that_would_not_work_are_refused(target: str, change: Mapping[str, str], named: str) -> None:
    """A missing setting, or a static key that would win, is named before anybody is asked."""
    with identity_endpoints(lambda _: Response("jwt")) as metadata:
        env = {**on_google(metadata.url, Path("token")), **change}

        with pytest.raises(ProviderUnusableError, match=named), federated(env, target=target):
            pass

    assert metadata.asked == []


def test_google_reads_the_file_that_its_configuration_names(tmp_path: Path) -> None:
    """For Google Cloud the file's place stands in the external account's configuration."""
    configuration, path = tmp_path / "configuration.json", tmp_path / "token"
    configuration.write_text(json.dumps({"type": "external_account", "credential_source": {"file": str(path)}}))
    with identity_endpoints(lambda _: as_json({"access_token": "jwt"})) as endpoint:
        env = {
            "SLUICE_FEDERATION": "azure",
            "SLUICE_FEDERATION_AUDIENCE": "api://sluice",
            "IDENTITY_ENDPOINT": endpoint.url,
            "GOOGLE_APPLICATION_CREDENTIALS": str(configuration),
        }

        with federated(env, target="gcp"):
            written = path.read_text()

    assert written == "jwt"


class QueueThatAsksWho(MemoryWorkQueue):
    """An empty queue that notes what the token file holds while it is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(clock_ms=lambda: 0)
        self.path = path
        self.seen: list[str] = []

    def receive(self, *, limit: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        self.seen.append(self.path.read_text())
        return []


def test_drain_has_the_identity_while_it_reads_the_queue(tmp_path: Path) -> None:
    """The other cloud's queue is read with the token in its place, and afterwards the token is gone."""
    clouds, path = Clouds(), tmp_path / "token"
    queue = QueueThatAsksWho(path)
    with identity_endpoints(lambda _: Response("jwt")) as metadata:
        drained = drain_cloud(
            "azure",
            replace(clouds.services["azure"], work=queue),
            peers=clouds.peers_of("gcp"),
            route=None,
            clock_ms=lambda: 0,
            stop_at_ms=1,
            env=on_google(metadata.url, path),
        )

    assert drained == Drained()
    assert queue.seen == ["jwt"]
    assert not path.exists()
