"""A storage account: where its services are, and how requests to them are signed.

Sources: "Authorize with Shared Key", "Configure Azure Storage connection strings" (Azure Storage), "Manage connections
in Azure Functions" for the names of the settings. Identities without a key: providers/azure/identity.py.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.errors import ProviderUnusableError
from providers.azure.identity import FederatedIdentity, GivenToken, ManagedIdentity


class Service(StrEnum):
    """The parts of a storage account that we use, as they stand in host names."""

    BLOB = "blob"
    QUEUE = "queue"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to sign. `path` is encoded as it is sent; `query` is not encoded."""

    service: Service
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Credential(Protocol):
    """Gives the Authorization header of a request."""

    def authorization(self, call: Call) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A storage account, its services' URLs without a slash at the end."""

    name: str
    urls: Mapping[Service, str]
    credential: Credential


class SharedKey:
    """Signs with one of the account's two keys."""

    def __init__(self, *, account: str, key: str) -> None:
        self.account = account
        self._key = base64.b64decode(key)

    def authorization(self, call: Call) -> str:
        resource = f"/{self.account}{call.path}"
        if call.service is Service.TABLE:
            comp = f"?comp={call.query['comp']}" if "comp" in call.query else ""
            text = f"{call.headers['x-ms-date']}\n{resource}{comp}"
            return f"SharedKeyLite {self.account}:{self.sign(text)}"
        headers = {name.lower(): value for name, value in call.headers.items()}
        length = headers.get("content-length", "")
        lines = [
            call.method,
            headers.get("content-encoding", ""),
            headers.get("content-language", ""),
            "" if length == "0" else length,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            "",  # x-ms-date stands for Date
            headers.get("if-modified-since", ""),
            headers.get("if-match", ""),
            headers.get("if-none-match", ""),
            headers.get("if-unmodified-since", ""),
            headers.get("range", ""),
            *(f"{name}:{value.strip()}" for name, value in sorted(headers.items()) if name.startswith("x-ms-")),
            resource,
            *(f"{name.lower()}:{value}" for name, value in sorted(call.query.items())),
        ]
        signature = self.sign("\n".join(lines))
        return f"SharedKey {self.account}:{signature}"

    def sign(self, text: str) -> str:
        return base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()


def read_account(env: Mapping[str, str], *, setting: str) -> Account:
    """The account of a connection, in the settings that Azure Functions itself reads.

    Either `setting` is a connection string; or `setting`__accountName names the account, and an identity without a key
    is used: the operator's whose token is `setting`__token; or one that another cloud vouches for if
    AZURE_FEDERATED_TOKEN_FILE is set; else the function's own (`setting`__clientId chooses one of several).

    Raises:
        ProviderUnusableError: The settings are missing or make no sense.
    """
    text = env.get(setting, "")
    if text:
        return _from_connection_string(text, setting=setting)
    name = env.get(f"{setting}__accountName", "")
    if not name:
        raise ProviderUnusableError(f"neither {setting} nor {setting}__accountName is set")
    urls = _urls("https", name, "core.windows.net", {})
    return Account(name=name, urls=urls, credential=_identity(env, setting=setting))


def _identity(env: Mapping[str, str], *, setting: str) -> Credential:
    token = env.get(f"{setting}__token", "")
    if token:
        return GivenToken(token)
    # In the order of azure-identity's DefaultAzureCredential: WorkloadIdentityCredential, ManagedIdentityCredential.
    if env.get("AZURE_FEDERATED_TOKEN_FILE"):
        if not (env.get("AZURE_TENANT_ID") and env.get("AZURE_CLIENT_ID")):
            raise ProviderUnusableError("AZURE_FEDERATED_TOKEN_FILE needs AZURE_TENANT_ID and AZURE_CLIENT_ID")
        return FederatedIdentity(
            tenant_id=env["AZURE_TENANT_ID"],
            client_id=env["AZURE_CLIENT_ID"],
            token_file=env["AZURE_FEDERATED_TOKEN_FILE"],
            authority=env.get("AZURE_AUTHORITY_HOST") or "https://login.microsoftonline.com",
        )
    endpoint = env.get("IDENTITY_ENDPOINT", "")
    if not endpoint:
        raise ProviderUnusableError(f"{setting}__accountName is set, but this machine has no managed identity")
    return ManagedIdentity(
        endpoint=endpoint, header=env.get("IDENTITY_HEADER", ""), client_id=env.get(f"{setting}__clientId", "")
    )


def _from_connection_string(text: str, *, setting: str) -> Account:
    parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    try:
        name, key = parts["AccountName"], SharedKey(account=parts["AccountName"], key=parts["AccountKey"])
    except (KeyError, ValueError) as error:
        raise ProviderUnusableError(f"{setting} is no connection string with AccountName and AccountKey") from error
    protocol = parts.get("DefaultEndpointsProtocol", "https")
    urls = _urls(protocol, name, parts.get("EndpointSuffix", "core.windows.net"), parts)
    return Account(name=name, urls=urls, credential=key)


def _urls(protocol: str, name: str, suffix: str, given: Mapping[str, str]) -> dict[Service, str]:
    return {
        service: given.get(f"{service.capitalize()}Endpoint", f"{protocol}://{name}.{service}.{suffix}").rstrip("/")
        for service in Service
    }
