"""How requests to Azure Storage show an identity without a key, against an emulated endpoint of Entra ID."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.wrappers import Response

from core.errors import ProviderUnusableError, TransientError
from providers.azure.account import Account, Call, Service, read_account
from providers.azure.identity import FederatedIdentity, GivenToken, ManagedIdentity
from providers.azure.rest import Storage
from providers.azure.work_queue import StorageWorkQueue
from tests.unit.identity_endpoints import Asked, as_json, identity_endpoints

CALL = Call(service=Service.QUEUE, method="GET", path="/", query={}, headers={})


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The servers log what these tests provoke."""
    caplog.set_level(logging.CRITICAL, logger="werkzeug")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("token of another cloud\n")
    return path


def tokens(*lives_s: int) -> Callable[[Asked], Response]:
    """Gives t0, t1, … with these lives, and after the last one only refusals of the moment."""
    left = list(enumerate(lives_s))

    def answer(asked: Asked) -> Response:
        if not left:
            return as_json({}, status=503)
        number, life_s = left.pop(0)
        return as_json({"access_token": f"t{number}", "expires_in": life_s, "token_type": "Bearer"})

    return answer


def identity_at(url: str, token_file: Path) -> FederatedIdentity:
    return FederatedIdentity(tenant_id="tenant", client_id="app", token_file=str(token_file), authority=f"{url}/")


def test_other_clouds_token_is_the_applications_proof(token_file: Path) -> None:
    """Entra ID is asked for a storage token, once, with the file's token as the assertion."""
    with identity_endpoints(tokens(3600)) as entra:
        identity = identity_at(entra.url, token_file)

        shown = {identity.authorization(CALL) for _ in range(3)}

    assert shown == {"Bearer t0"}
    (asked,) = entra.asked
    assert asked.path == "/tenant/oauth2/v2.0/token"
    assert asked.form == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "scope": "https://storage.azure.com/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "token of another cloud",
    }


def test_file_is_read_again_for_the_next_token(token_file: Path) -> None:
    """A token near its end is replaced, with what the file holds then."""
    with identity_endpoints(tokens(200, 3600)) as entra:
        identity = identity_at(entra.url, token_file)
        first = identity.authorization(CALL)
        token_file.write_text("renewed")

        second = identity.authorization(CALL)

    assert (first, second) == ("Bearer t0", "Bearer t1")
    assert entra.asked[1].form["client_assertion"] == "renewed"


def test_token_outlives_a_silence(token_file: Path) -> None:
    """While a token is still good, it is shown although no new one can be had."""
    with identity_endpoints(tokens(200)) as entra:
        identity = identity_at(entra.url, token_file)
        identity.authorization(CALL)

        shown = identity.authorization(CALL)

    assert shown == "Bearer t0"
    assert len(entra.asked) == 2


def test_refusal_is_told_by_its_code_alone(token_file: Path) -> None:
    """Entra ID's code is named; its text, which may quote the token, is not."""
    refusal = as_json({"error": "invalid_client", "error_description": "AADSTS700213: secret"}, status=401)
    with identity_endpoints(lambda _: refusal) as entra, pytest.raises(ProviderUnusableError) as raised:
        identity_at(entra.url, token_file).authorization(CALL)

    assert "401 invalid_client" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("status", [429, 503])
def test_overload_is_about_the_moment(token_file: Path, status: int) -> None:
    """A busy Entra ID may answer later."""
    with identity_endpoints(lambda _: Response("busy", status=status)) as entra, pytest.raises(TransientError):
        identity_at(entra.url, token_file).authorization(CALL)


def test_missing_file_is_a_mistake_of_the_settings(token_file: Path) -> None:
    """Without a token from the other cloud nobody is asked."""
    token_file.unlink()
    with identity_endpoints(tokens(3600)) as entra, pytest.raises(ProviderUnusableError, match="cannot be read"):
        identity_at(entra.url, token_file).authorization(CALL)

    assert entra.asked == []


def test_queue_is_asked_with_the_token(token_file: Path) -> None:
    """A request to the queue carries it."""

    def answer(asked: Asked) -> Response:
        is_for_queue = asked.path.startswith("/work/")
        return Response("<QueueMessagesList/>") if is_for_queue else tokens(3600)(asked)

    with identity_endpoints(answer) as cloud:
        account = Account(name="a", urls={Service.QUEUE: cloud.url}, credential=identity_at(cloud.url, token_file))
        client = Storage(account, Service.QUEUE)
        messages = StorageWorkQueue(queue="work", client=client).receive(limit=1, wait_s=0, visibility_timeout_s=1)
        client.close()

    assert messages == []
    assert cloud.asked_at("/messages")[0].headers["authorization"] == "Bearer t0"


def test_settings_are_those_of_azure_identity() -> None:
    """What another cloud vouches for comes before the function's own identity."""
    env = {
        "S__accountName": "account",
        "IDENTITY_ENDPOINT": "http://127.0.0.1:1",
        "AZURE_FEDERATED_TOKEN_FILE": "token",
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "app",
    }

    account = read_account(env, setting="S")
    own = read_account({**env, "AZURE_FEDERATED_TOKEN_FILE": ""}, setting="S")

    assert isinstance(account.credential, FederatedIdentity)
    assert account.urls[Service.QUEUE] == "https://account.queue.core.windows.net"
    assert isinstance(own.credential, ManagedIdentity)


def test_operators_token_goes_before_every_identity() -> None:
    """Whoever logged in asks as themselves, also on a machine that has an identity of its own."""
    env = {"S__accountName": "account", "S__token": "of a person", "IDENTITY_ENDPOINT": "http://127.0.0.1:9/token"}

    credential = read_account(env, setting="S").credential

    assert isinstance(credential, GivenToken)
    assert credential.authorization(CALL) == "Bearer of a person"
    assert "of a person" not in repr(credential)


@pytest.mark.parametrize("missing", ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"])
def test_half_a_federation_is_refused(missing: str) -> None:
    """The file alone does not say whom it speaks for."""
    env = {"S__accountName": "a", "AZURE_FEDERATED_TOKEN_FILE": "f", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}

    with pytest.raises(ProviderUnusableError, match=missing):
        read_account({**env, missing: ""}, setting="S")


def test_managed_identity_asks_its_endpoint_once() -> None:
    """The function's own token is for storage, and kept."""
    answer = {"access_token": "own", "expires_on": "4102444800"}
    with identity_endpoints(lambda _: as_json(answer)) as endpoint:
        identity = ManagedIdentity(endpoint=f"{endpoint.url}/token", header="h", client_id="c")

        shown = {identity.authorization(CALL) for _ in range(2)}

    assert shown == {"Bearer own"}
    (asked,) = endpoint.asked
    assert asked.headers["x-identity-header"] == "h"
    assert asked.query == {"api-version": "2019-08-01", "resource": "https://storage.azure.com/", "client_id": "c"}
