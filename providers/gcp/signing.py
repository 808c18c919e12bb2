"""URLs of Cloud Storage that carry their own permission: the V4 signing process with an RSA key.

Source: "Signatures" and "Canonical requests" (Cloud Storage documentation, authentication). The hash of the payload is
not part of the signature.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote, urlsplit

_ALGORITHM = "GOOG4-RSA-SHA256"


class Signer(Protocol):
    """A service account."""

    def account(self) -> str:
        """Its address."""

    def sign(self, content: bytes) -> bytes:
        """Its signature (RSA, SHA-256)."""


def signed_url(
    method: str,
    base_url: str,
    path: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    valid_s: int,
    at_ms: int,
    signer: Signer,
) -> str:
    """The URL with its signature.

    Args:
        path: Percent-encoded.
        headers: What the client must send, names in lower case; `host` is added.
    """
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    scope = f"{at:%Y%m%d}/auto/storage/goog4_request"
    headers = {**headers, "host": urlsplit(base_url).netloc}
    signed_names = ";".join(sorted(headers))
    query = {
        **query,
        "X-Goog-Algorithm": _ALGORITHM,
        "X-Goog-Credential": f"{signer.account()}/{scope}",
        "X-Goog-Date": f"{at:%Y%m%dT%H%M%SZ}",
        "X-Goog-Expires": str(valid_s),
        "X-Goog-SignedHeaders": signed_names,
    }
    query_text = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(query.items()))
    header_text = "".join(f"{name}:{value.strip()}\n" for name, value in sorted(headers.items()))
    request = "\n".join((method, path, query_text, header_text, signed_names, "UNSIGNED-PAYLOAD"))
    digest = hashlib.sha256(request.encode()).hexdigest()
    signature = signer.sign("\n".join((_ALGORITHM, f"{at:%Y%m%dT%H%M%SZ}", scope, digest)).encode())
    return f"{base_url}{path}?{query_text}&X-Goog-Signature={signature.hex()}"


def _encoded(text: str) -> str:
    return quote(text, safe="")
