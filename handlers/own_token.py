"""A token that says who this machine is, from the cloud in which it stands, for an audience in another one.

    gcp     the metadata server's identity token of the machine's service account
    azure   the managed identity's token from App Service's IDENTITY_ENDPOINT, with the audience as the resource
    aws     STS GetWebIdentityToken of the machine's role, once the account has outbound identity federation enabled

Sources: "Verify the identity of a VM" (Compute Engine), "Use managed identities for App Service and Azure Functions",
"GetWebIdentityToken" (API Reference of AWS STS).
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from core.errors import ProviderUnusableError, TransientError
from handlers.peers.http_call import NoAnswerError, NoConnectionError, call

_AWS_TOKEN_VALID_S = 900
_TIMEOUT_S = 5.0
_ANSWER_MAX_BYTES = 64 * 1024


def own_token(source: str, *, audience: str, env: Mapping[str, str]) -> str:
    """Ask for a token.

    Raises:
        ProviderUnusableError: The source is none of ours, refuses, or this machine does not stand there.
        TransientError: The source gives no answer, or none that can be understood.
    """
    match source:
        case "gcp":
            return _from_google(audience, env)
        case "azure":
            return _from_azure(audience, env)
        case "aws":
            return _from_aws(audience)
        case _:
            raise ProviderUnusableError(f"SLUICE_FEDERATION is {source!r}, and none of: aws, azure, gcp")


def _from_google(audience: str, env: Mapping[str, str]) -> str:
    host = env.get("GCE_METADATA_HOST") or "metadata.google.internal"
    query = urlencode({"audience": audience, "format": "full"})
    url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/identity?{query}"
    return _get(url, {"Metadata-Flavor": "Google"}).strip()


def _from_azure(audience: str, env: Mapping[str, str]) -> str:
    if not env.get("IDENTITY_ENDPOINT"):
        raise ProviderUnusableError("SLUICE_FEDERATION is azure, but this machine has no IDENTITY_ENDPOINT")
    client = {"client_id": env["AZURE_CLIENT_ID"]} if env.get("AZURE_CLIENT_ID") else {}
    query = urlencode({"api-version": "2019-08-01", "resource": audience, **client})
    text = _get(f"{env['IDENTITY_ENDPOINT']}?{query}", {"X-IDENTITY-HEADER": env.get("IDENTITY_HEADER", "")})
    try:
        return str(json.loads(text)["access_token"])
    except (ValueError, KeyError, TypeError) as error:
        raise TransientError("Azure managed identity: the answer has no token") from error


def _from_aws(audience: str) -> str:
    """RS256, because Entra ID takes nothing else; the regional endpoint, because the global one has no such call."""
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"total_max_attempts": 2})
    try:
        sts: Any = botocore.session.get_session().create_client("sts", config=config)
        answer = sts.get_web_identity_token(
            Audience=[audience], SigningAlgorithm="RS256", DurationSeconds=_AWS_TOKEN_VALID_S
        )
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        raise ProviderUnusableError(f"AWS STS GetWebIdentityToken: {code}") from error
    return str(answer["WebIdentityToken"])


def _get(url: str, headers: Mapping[str, str]) -> str:
    try:
        answer = call("GET", url, headers=headers, timeout_s=_TIMEOUT_S, answer_max_bytes=_ANSWER_MAX_BYTES)
    except (NoConnectionError, NoAnswerError) as error:
        raise TransientError(f"this machine's identity: no answer ({error})") from error
    if answer.status != 200:
        raise ProviderUnusableError(f"this machine's identity: refused with status {answer.status}")
    return answer.body.decode("ascii", "replace")
