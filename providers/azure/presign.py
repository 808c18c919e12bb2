"""Shared access signatures for one blob ("Create a service SAS", version 2020-12-06 of the string to sign).

With a managed identity there is no account key; then the signature is made with a key that the service lends to the
identity for at most seven days ("Create a user delegation SAS").
"""

import base64
import hashlib
import hmac
import re
import time
from datetime import UTC, datetime
from urllib.parse import quote

from providers.azure.account import SharedKey
from providers.azure.errors import translate
from providers.azure.rest import CALL_ERRORS, Storage, xml_text

_VERSION = "2020-12-06"
_SKEW_S = 300  # a start "now" may lie in the future of another machine's clock
_DELEGATED = ("SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion", "Value")


def presigned_query(client: Storage, *, bucket: str, key: str, permission: str, valid_s: int) -> str:
    """The query string by which anybody may do what `permission` says to one blob for `valid_s` seconds.

    Raises:
        StepError: No key could be got to sign with.
    """
    now_s = time.time()
    credential = client.account.credential
    resource = f"/blob/{client.account.name}/{bucket}/{key}"
    ends_at = _iso(now_s + valid_s)
    protocol = "https" if client.url.startswith("https:") else "https,http"
    fields = {"sv": _VERSION, "sr": "b", "sp": permission, "se": ends_at, "spr": protocol}
    # Left empty: snapshot, encryption scope, and five headers of the answer.
    tail = [protocol, _VERSION, "b", "", "", "", "", "", "", ""]
    if isinstance(credential, SharedKey):
        fields["sig"] = credential.sign("\n".join([permission, "", ends_at, resource, "", "", *tail]))
    else:
        lent = _delegation_key(client, from_s=now_s - _SKEW_S, until_s=now_s + valid_s)
        names = ("skoid", "sktid", "skt", "ske", "sks", "skv")
        fields |= dict(zip(names, (lent[name] for name in _DELEGATED), strict=False))
        signed = [permission, "", ends_at, resource, *(fields[name] for name in names), "", "", "", "", *tail]
        digest = hmac.digest(base64.b64decode(lent["Value"]), "\n".join(signed).encode(), hashlib.sha256)
        fields["sig"] = base64.b64encode(digest).decode()
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())


def _delegation_key(client: Storage, *, from_s: float, until_s: float) -> dict[str, str]:
    body = f"<KeyInfo><Start>{_iso(from_s)}</Start><Expiry>{_iso(until_s)}</Expiry></KeyInfo>"
    query = {"restype": "service", "comp": "userdelegationkey"}
    try:
        answer = client.call("POST", "/", query=query, headers={"Content-Type": "application/xml"}, body=body.encode())
    except CALL_ERRORS as error:
        subject = f"account {client.account.name}"
        raise translate(error, operation="Get User Delegation Key", subject=subject) from error
    found = dict(re.findall(r"<(\w+)>([^<]*)</\1>", answer.body.decode()))
    return {name: xml_text(found[name]) for name in _DELEGATED}


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
