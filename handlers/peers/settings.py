"""The settings of a cloud among others, and of its HTTP API. Apart from handlers/settings.py, as `process` needs none.

SLUICE_PEERS             {"gcp": {"url": "https://…", "origins": ["https://storage.googleapis.com"]}, …}
SLUICE_PEER_KEYS         {"current": "k2", "keys": {"k1": "<64 or more hexadecimal digits>", "k2": "…"}}
SLUICE_PEER_TIMEOUT_S    5: how long a peer may be silent
SLUICE_ORDER             aws,gcp,azure: all clouds, the preferred one first; default: this one alone
SLUICE_COPIES            1: in how many clouds an upload stands before it is acknowledged
SLUICE_TAKEOVER_AFTER_S  120: how long an upload is left to its home cloud
SLUICE_PROBE_EVERY_S     10: how often an object is put to see whether the cloud works
SLUICE_FUNCTION_STALE_S  60: how long such an object may take through queue and function before that counts as failed
SLUICE_BODY_MAX_BYTES    4194304: of an upload's body through the API, the same on every cloud
SLUICE_API_KEYS          {"client's name": "<sha256 of its key, in hex>"}
SLUICE_OPEN              1: clients need no key while there are none (local only; the embedded store is open, too)
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from core.errors import ProviderUnusableError
from core.signing import PeerKeys
from handlers.peers.fields import CLOUD, SHA256
from handlers.settings import required, whole_number

# Who signs the operator's requests. To the clouds it is one more peer.
OPERATOR = "operator"

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")

# A copy must fit through every cloud's function. The narrowest is Lambda's: 6 MB for a request ("Lambda quotas"), of
# which base64 takes a quarter.
_BODY_MAX_BYTES = 4 * 1024 * 1024
_BODY_LIMIT_BYTES = 4_400_000

_KEY_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_SECRET = re.compile(r"(?:[0-9a-fA-F]{2}){32,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAddress:
    """Where another cloud is.

    Attributes:
        url: Of its API; paths are put behind it.
        origins: Scheme and host, with the port if any, where its presigned URLs may point.
    """

    url: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """This cloud among the others.

    Attributes:
        order: All clouds, the preferred one first.
        peers: The other clouds.
        keys: None where there are no peers.
        client_keys: Sha256 of each client's key, in hex, by the client's name.
        is_open: Clients need no key.
    """

    cloud: str
    order: tuple[str, ...]
    peers: Mapping[str, PeerAddress]
    keys: PeerKeys | None
    peer_timeout_s: int
    copies: int
    takeover_after_s: int
    probe_every_s: int
    function_stale_s: int
    body_max_bytes: int
    client_keys: Mapping[str, str] = field(repr=False)
    is_open: bool

    @property
    def origins(self) -> tuple[str, ...]:
        """Where work that was handed over may be fetched from."""
        return tuple(origin for peer in self.peers.values() for origin in peer.origins)


def read_peer_settings(env: Mapping[str, str]) -> PeerSettings:
    """Read them.

    Raises:
        ProviderUnusableError: One makes no sense; the message names it, and quotes no secret.
    """
    cloud = required(env, "SLUICE_CLOUD")
    order = _order(env, cloud)
    peers = _peers(env, cloud, order)
    client_keys = _client_keys(env)
    return PeerSettings(
        cloud=cloud,
        order=order,
        peers=peers,
        keys=_peer_keys(env) if peers else None,
        peer_timeout_s=whole_number(env, "SLUICE_PEER_TIMEOUT_S", 5, low=1, high=60),
        copies=whole_number(env, "SLUICE_COPIES", 1, low=1, high=len(order)),
        takeover_after_s=whole_number(env, "SLUICE_TAKEOVER_AFTER_S", 120, low=1, high=86_400),
        probe_every_s=whole_number(env, "SLUICE_PROBE_EVERY_S", 10, low=1, high=3600),
        function_stale_s=whole_number(env, "SLUICE_FUNCTION_STALE_S", 60, low=1, high=86_400),
        body_max_bytes=whole_number(env, "SLUICE_BODY_MAX_BYTES", _BODY_MAX_BYTES, low=1024, high=_BODY_LIMIT_BYTES),
        client_keys=client_keys,
        is_open=not client_keys and (env.get("SLUICE_OPEN") == "1" or bool(env.get("SLUICE_LOCAL_DIR"))),
    )


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL that our own code may call, as `https://host` or `https://host:8443`.

    Raises:
        ValueError: It is none: neither https nor (to this machine only) http, or with a user's name in it.
    """
    parts = urlsplit(url)
    port = parts.port  # raises ValueError, too
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    if not (parts.scheme == "https" or is_local) or not parts.hostname or "@" in parts.netloc:
        raise ValueError("a URL must be https://host, or http:// of this machine")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("a URL must be printable ASCII without blanks and backslashes")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = port in (None, 443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{host}" if is_default else f"{parts.scheme}://{host}:{port}"


def _order(env: Mapping[str, str], cloud: str) -> tuple[str, ...]:
    order = tuple(name.strip() for name in (env.get("SLUICE_ORDER") or cloud).split(","))
    if not all(CLOUD.fullmatch(name) for name in order) or len(set(order)) != len(order):
        raise ProviderUnusableError("SLUICE_ORDER must name each cloud once, as in aws,gcp,azure")
    if cloud not in order:
        raise ProviderUnusableError(f"SLUICE_ORDER must name this cloud, {cloud}, too")
    return order


def _peers(env: Mapping[str, str], cloud: str, order: tuple[str, ...]) -> dict[str, PeerAddress]:
    given = _json(env, "SLUICE_PEERS")
    if set(given) != set(order) - {cloud}:
        raise ProviderUnusableError("SLUICE_PEERS must have exactly the clouds that SLUICE_ORDER names beside this one")
    return {name: _peer(f"SLUICE_PEERS.{name}", peer) for name, peer in given.items()}


def _peer(field_name: str, given: Any) -> PeerAddress:
    if not isinstance(given, dict) or set(given) - {"url", "origins"}:
        raise ProviderUnusableError(f'{field_name} must be {{"url": "https://…", "origins": ["https://…"]}}')
    origins = given.get("origins", [])
    if not isinstance(origins, list):
        raise ProviderUnusableError(f"{field_name}.origins must be a list")
    url = _url(f"{field_name}.url", given.get("url"))
    if urlsplit(url).query or urlsplit(url).fragment:
        raise ProviderUnusableError(f"{field_name}.url must have no query")
    for number, origin in enumerate(origins):
        if _url(f"{field_name}.origins[{number}]", origin).rstrip("/") != origin_of(origin):
            raise ProviderUnusableError(f"{field_name}.origins[{number}] must be scheme and host only, in lower case")
    return PeerAddress(url=url.rstrip("/"), origins=tuple(origin_of(origin) for origin in origins))


def _url(field_name: str, given: Any) -> str:
    try:
        if isinstance(given, str) and origin_of(given):
            return given
        raise ValueError("it is missing, or no text")
    except ValueError as error:
        raise ProviderUnusableError(f"{field_name}: {error}") from error


def _peer_keys(env: Mapping[str, str]) -> PeerKeys:
    given = _json(env, "SLUICE_PEER_KEYS")
    keys, current = given.get("keys"), given.get("current")
    if not isinstance(keys, dict) or not keys or not isinstance(current, str) or current not in keys:
        raise ProviderUnusableError('SLUICE_PEER_KEYS must be {"current": "k1", "keys": {"k1": "…"}}')
    for key_id, secret in keys.items():
        if not _KEY_ID.fullmatch(key_id):
            raise ProviderUnusableError("SLUICE_PEER_KEYS.keys: an id has 1 to 64 letters, digits, - and _")
        if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
            raise ProviderUnusableError(
                f"SLUICE_PEER_KEYS.keys.{key_id} must have 64 or more hexadecimal digits: `openssl rand -hex 32`"
            )
    return PeerKeys(current=current, secrets={key_id: bytes.fromhex(secret) for key_id, secret in keys.items()})


def _client_keys(env: Mapping[str, str]) -> dict[str, str]:
    keys = _json(env, "SLUICE_API_KEYS")
    for name, digest in keys.items():
        if not name or not isinstance(digest, str) or not SHA256.fullmatch(digest):
            raise ProviderUnusableError(
                f"SLUICE_API_KEYS: {name or 'a client without a name'} must have the sha256 of its key, in hex"
            )
    return keys


def _json(env: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        given = json.loads(env.get(name) or "{}")
    except ValueError as error:
        raise ProviderUnusableError(f"{name} is no JSON") from error
    if not isinstance(given, dict):
        raise ProviderUnusableError(f"{name} must be a JSON object")
    return given
