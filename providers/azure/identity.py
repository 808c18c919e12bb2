"""Identities that show a token instead of a signature: the function's own, an operator's, and one that another cloud
vouches for.

Sources: "Use managed identities for App Service and Azure Functions" (its REST endpoint); "Microsoft identity platform
and the OAuth 2.0 client credentials flow", third case (access token request with a federated credential).
"""

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

from core.errors import ProviderUnusableError, StepError, TransientError

if TYPE_CHECKING:
    from providers.azure.account import Call

_TIMEOUT_S = 5
_MARGIN_S = 300  # the managed identity's endpoint itself keeps a token until 5 minutes before its end
_SCOPE = "https://storage.azure.com/.default"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    text: str
    ends_at_s: float  # seconds since 1970


class _KeptToken:
    """A token that is fetched when needed and kept until shortly before its end. Threads may share it."""

    def __init__(self, fetch: Callable[[], _Token]) -> None:
        self._fetch = fetch
        self._lock = Lock()
        self._token = _Token(text="", ends_at_s=0.0)

    def text(self) -> str:
        """Give a token that is still good.

        Raises:
            StepError: There is none to be had, and the old one has ended.
        """
        with self._lock:
            if time.time() > self._token.ends_at_s - _MARGIN_S:
                try:
                    self._token = self._fetch()
                except StepError:
                    if time.time() >= self._token.ends_at_s:
                        raise
            return self._token.text


class ManagedIdentity:
    """The function's own identity."""

    def __init__(self, *, endpoint: str, header: str, client_id: str = "") -> None:
        """`endpoint` and `header` are App Service's IDENTITY_ENDPOINT and IDENTITY_HEADER."""
        client = f"&client_id={quote(client_id, safe='')}" if client_id else ""
        self._url = f"{endpoint}?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com%2F{client}"
        self._header = header
        self._kept = _KeptToken(self._fetch)

    def authorization(self, call: "Call") -> str:
        return f"Bearer {self._kept.text()}"

    def _fetch(self) -> _Token:
        request = urllib.request.Request(self._url, headers={"X-IDENTITY-HEADER": self._header})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                found = json.load(answer)
            return _Token(text=str(found["access_token"]), ends_at_s=float(found["expires_on"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TransientError(f"Azure managed identity: no token ({type(error).__name__})") from error


class GivenToken:
    """An operator's token, which whoever logged in handed on. It is not renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def authorization(self, call: "Call") -> str:
        return f"Bearer {self._token}"


class FederatedIdentity:
    """An application of Entra ID, which trusts the token of another cloud that lies in a file.

    The file is read each time, because whoever writes it renews it.
    """

    def __init__(self, *, tenant_id: str, client_id: str, token_file: str, authority: str) -> None:
        """As azure-identity's WorkloadIdentityCredential has them; `authority` is a URL or a host's name."""
        authority = authority if "://" in authority else f"https://{authority}"
        self._url = f"{authority.rstrip('/')}/{quote(tenant_id, safe='')}/oauth2/v2.0/token"
        self._client_id = client_id
        self._token_file = Path(token_file)
        self._kept = _KeptToken(self._fetch)

    def authorization(self, call: "Call") -> str:
        return f"Bearer {self._kept.text()}"

    def _fetch(self) -> _Token:
        asked_at_s = time.time()
        try:
            with urllib.request.urlopen(self._url, data=self._form(), timeout=_TIMEOUT_S) as answer:  # noqa: S310
                found = json.load(answer)
            return _Token(text=str(found["access_token"]), ends_at_s=asked_at_s + float(found["expires_in"]))
        except HTTPError as error:
            raise _refusal(error) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TransientError(f"Entra ID: no token ({type(error).__name__})") from error

    def _form(self) -> bytes:
        try:
            assertion = self._token_file.read_text().strip()
        except (OSError, ValueError) as error:
            text = f"AZURE_FEDERATED_TOKEN_FILE cannot be read ({type(error).__name__})"
            raise ProviderUnusableError(text) from error
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "scope": _SCOPE,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return urlencode(form).encode()


def _refusal(error: HTTPError) -> StepError:
    """What Entra ID's refusal means, with its code ("invalid_client") and never its text, which may quote the token."""
    with error:
        try:
            code = str(json.loads(error.read(64 * 1024))["error"])
        except (OSError, ValueError, KeyError, TypeError):
            code = "no code"  # the status is known, and the code is a courtesy
    text = f"Entra ID: no token ({error.code} {code})"
    is_about_the_moment = error.code in (408, 429) or error.code >= 500
    return TransientError(text) if is_about_the_moment else ProviderUnusableError(text)
