"""Requests between clouds, signed with a key that they share: HMAC-SHA-256 over all that decides what a request does.

    Sluice-Signature: key=<id>;from=<cloud>;to=<cloud>;at=<epoch ms>;nonce=<hex>;body=<sha256 hex>;mac=<hex>

The MAC covers method, path with query, and every field before it, so that no request serves for another one, another
cloud or another time. Two keys may be live at once; to rotate, add the new one everywhere, then sign with it, then drop
the old one. RFC 9421 (HTTP Message Signatures) does the same with more choices, none of which we want to offer.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

HEADER = "Sluice-Signature"
WINDOW_S = 300  # by how much the two clouds' clocks may differ, and a request be late, together

_FIELDS = ("key", "from", "to", "at", "nonce", "body")
_FORM = re.compile(
    r"key=(?P<key>[\w-]{1,64});from=(?P<from>[a-z0-9-]{1,32});to=(?P<to>[a-z0-9-]{1,32});at=(?P<at>[0-9]{1,15});"
    r"nonce=(?P<nonce>[0-9a-f]{32});body=(?P<body>[0-9a-f]{64});mac=(?P<mac>[0-9a-f]{64})"
)
_UNKNOWN_KEY = b"\0" * 32  # so that an unknown key costs as much as a known one


class SignatureRefusedError(Exception):
    """The request is not to be trusted. The message is for our log; whoever sent it is told no more than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerKeys:
    """The keys that all clouds share.

    Attributes:
        current: Id of the key that signs.
        secrets: By id; at least 32 bytes each. All of them are accepted.
    """

    current: str
    secrets: Mapping[str, bytes]

    def __post_init__(self) -> None:
        if self.current not in self.secrets:
            raise ValueError(f"the current peer key {self.current!r} is not among the keys")
        if any(len(secret) < 32 for secret in self.secrets.values()):
            raise ValueError("a peer key has fewer than 32 bytes: make one with `openssl rand -hex 32`")

    def __repr__(self) -> str:
        return f"PeerKeys(current={self.current!r}, {len(self.secrets)} keys)"  # never the secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Who sent a request whose signature is good, and the nonce that must not come again."""

    sender: str
    nonce: str
    at_ms: int
    body_sha256: str


def sign(
    keys: PeerKeys, method: str, path: str, body_sha256: str, *, sender: str, recipient: str, at_ms: int, nonce: str
) -> str:
    """The value of the header.

    Args:
        path: With its query, as it is sent.
        nonce: 32 hexadecimal digits, by chance.
    """
    values = (keys.current, sender, recipient, str(at_ms), nonce, body_sha256)
    fields = dict(zip(_FIELDS, values, strict=True))
    mac = _mac(keys.secrets[keys.current], method, path, fields)
    return ";".join(f"{name}={value}" for name, value in fields.items()) + f";mac={mac}"


def verify(keys: PeerKeys, method: str, path: str, header: str, *, recipient: str, now_ms: int) -> Signed:
    """Check a header. The caller still compares `body_sha256` with the body, and refuses a nonce that it knows.

    Raises:
        SignatureRefusedError: It is none, for somebody else, too old or from the future, or not made with our keys.
    """
    found = _FORM.fullmatch(header)
    if not found:
        raise SignatureRefusedError("no signature, or not of the known form")
    fields = {name: found[name] for name in _FIELDS}
    secret = keys.secrets.get(fields["key"], _UNKNOWN_KEY)
    is_good = hmac.compare_digest(_mac(secret, method, path, fields), found["mac"])
    if not is_good or fields["key"] not in keys.secrets:
        raise SignatureRefusedError("the signature is wrong, or its key is not known")
    if fields["to"] != recipient:
        raise SignatureRefusedError("the request was signed for another cloud")
    if abs(now_ms - int(fields["at"])) > WINDOW_S * 1000:
        raise SignatureRefusedError("the request is too old, or from the future")
    return Signed(sender=fields["from"], nonce=fields["nonce"], at_ms=int(fields["at"]), body_sha256=fields["body"])


def _mac(secret: bytes, method: str, path: str, fields: Mapping[str, str]) -> str:
    text = "\n".join(("sluice-1", method, path, *(f"{name}={fields[name]}" for name in _FIELDS)))
    return hmac.digest(secret, text.encode(), hashlib.sha256).hex()
