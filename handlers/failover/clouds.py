"""Where all clouds are, for the operator's commands and the upload client.

    --peers FILE              {"peers": {"aws": {"url": "https://…", "origins": ["https://…"]}, …},
                               "keys": {"current": "k1", "keys": {"k1": "…"}}, "api_key": "…"}
    SLUICE_PEERS              else the value of "peers", here with all clouds
    SLUICE_PEER_KEYS          with it, the value of "keys" (handlers/peers/settings.py describes both)
    .sluice/local/peers.json  else such a file, which the local clouds write

Clients need neither "keys" nor "origins".
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ProviderUnusableError
from core.gather import ThreadGather
from core.signing import PeerKeys
from handlers.peers.http_peer import HttpPeer
from handlers.peers.settings import OPERATOR, origin_of, read_peer_settings

DEFAULT_FILE = Path(".sluice/local/peers.json")

# A cloud that hangs takes up to 2 s to connect and 5 s to be given up.
_TIMEOUT_S = 5.0
GATHER = ThreadGather(hedge_after_s=1.0, timeout_s=12.0)


class CloudsUnknownError(Exception):
    """Nobody says where the clouds are, or not in a form that can be read; the message names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClouds:
    """Where the clouds are.

    Attributes:
        urls: Of each cloud's API, by cloud, in the order in which they were named.
        keys: None if none were given.
        api_key: A client's, or "".
        source: Who said so.
    """

    urls: Mapping[str, str]
    keys: PeerKeys | None
    api_key: str = field(default="", repr=False)
    source: str


def find_clouds(env: Mapping[str, str], *, path: str | None, default: Path = DEFAULT_FILE) -> KnownClouds:
    """Find where the clouds are.

    Raises:
        CloudsUnknownError: Nobody says it, or it makes no sense.
    """
    if path is not None:
        return _read_file(Path(path))
    if env.get("SLUICE_PEERS"):
        given = {"peers": _json("SLUICE_PEERS", env["SLUICE_PEERS"])}
        if env.get("SLUICE_PEER_KEYS"):
            given["keys"] = _json("SLUICE_PEER_KEYS", env["SLUICE_PEER_KEYS"])
        return _read(given, source="the environment")
    if default.exists():
        return _read_file(default)
    raise CloudsUnknownError(
        "where the clouds are is not known: give --peers FILE, or set SLUICE_PEERS and SLUICE_PEER_KEYS; "
        f"`npx sls local up` writes {default} for the local ones"
    )


def connect_peers(known: KnownClouds, *, clock_ms: Callable[[], int]) -> list[HttpPeer]:
    """All clouds as the operator sees them.

    Raises:
        CloudsUnknownError: The keys are missing.
    """
    if known.keys is None:
        raise CloudsUnknownError(
            f'{known.source} has no peer keys: "keys" in the file or SLUICE_PEER_KEYS, as the clouds have them'
        )
    return [
        HttpPeer(cloud=cloud, url=url, keys=known.keys, sender=OPERATOR, clock_ms=clock_ms, timeout_s=_TIMEOUT_S)
        for cloud, url in known.urls.items()
    ]


def _read_file(path: Path) -> KnownClouds:
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CloudsUnknownError(f"cannot read {path}: {reason}") from error
    return _read(_json(str(path), text), source=str(path))


def _json(source: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CloudsUnknownError(f"{source} is no JSON") from error
    if not isinstance(found, dict):
        raise CloudsUnknownError(f"{source} must be a JSON object")
    return found


def _read(given: Mapping[str, Any], *, source: str) -> KnownClouds:
    peers, api_key = given.get("peers"), given.get("api_key", "")
    if not isinstance(peers, dict) or not peers:
        raise CloudsUnknownError(f'{source} must name the clouds: {{"peers": {{"aws": {{"url": "https://…"}}, …}}}}')
    if not isinstance(api_key, str):
        raise CloudsUnknownError(f'{source}: "api_key" must be text')
    if "keys" not in given:
        urls = {cloud: _client_url(cloud, peer, source) for cloud, peer in peers.items()}
        return KnownClouds(urls=urls, keys=None, api_key=api_key, source=source)
    # The operator reads what a cloud reads: as one more of them, whose peers are all the others.
    env = {
        "SLUICE_CLOUD": OPERATOR,
        "SLUICE_ORDER": ",".join((OPERATOR, *peers)),
        "SLUICE_PEERS": json.dumps(peers),
        "SLUICE_PEER_KEYS": json.dumps(given["keys"]),
    }
    try:
        settings = read_peer_settings(env)
    except ProviderUnusableError as error:
        raise CloudsUnknownError(f"{source}: {error}") from error
    urls = {cloud: settings.peers[cloud].url for cloud in peers}
    return KnownClouds(urls=urls, keys=settings.keys, api_key=api_key, source=source)


def _client_url(cloud: str, peer: Any, source: str) -> str:
    url = peer.get("url") if isinstance(peer, dict) else None
    try:
        if isinstance(url, str) and origin_of(url):
            return url.rstrip("/")
        raise ValueError("it is missing, or no text")
    except ValueError as error:
        raise CloudsUnknownError(f"{source}: the url of {cloud}: {error}") from error
