"""Who asks: a client with an API key, or a peer that signs. Whoever is refused is not told why; the log is."""

import hashlib
import hmac
import logging

from werkzeug.wrappers import Request

from core.nonces import is_new
from core.signing import HEADER, SignatureRefusedError, verify
from handlers.api.front import Front
from handlers.api.problems import Problem
from handlers.api.reading import Body, pairs_of, read_body
from handlers.peers.settings import OPERATOR
from handlers.peers.wire import signed_path

log = logging.getLogger("sluice")

_KEY_MAX_CHARS = 512
_OPEN_CLIENT = "anybody"


def client_of(front: Front, request: Request) -> str:
    """The name of the client whose key came as `Authorization: Bearer <key>`."""
    if front.settings.is_open:
        return _OPEN_CLIENT
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 1 <= len(key) <= _KEY_MAX_CHARS:
        raise Problem("unauthorized")
    digest = hashlib.sha256(key.encode(errors="replace")).hexdigest()
    # All are compared, so that the time tells nothing.
    found = [name for name, known in front.settings.client_keys.items() if hmac.compare_digest(known, digest)]
    if not found:
        raise Problem("unauthorized")
    return found[0]


def body_of_peer(front: Front, request: Request, *, max_bytes: int) -> Body:
    """The body of a peer's request, if its signature is good, covers this body, and is used for the first time."""
    settings = front.settings
    if settings.keys is None:
        raise Problem("unauthorized")
    path = signed_path(request.path, pairs_of(request))
    try:
        signed = verify(
            settings.keys,
            request.method,
            path,
            request.headers.get(HEADER, ""),
            recipient=front.cloud,
            now_ms=front.site.clock_ms(),
        )
        if signed.sender not in settings.peers and signed.sender != OPERATOR:
            raise SignatureRefusedError("the sender is no peer")
        if request.method == "GET":
            body = Body(content=b"", sha256=hashlib.sha256().hexdigest())
        else:
            body = read_body(request, max_bytes=max_bytes)
        if not hmac.compare_digest(body.sha256, signed.body_sha256):
            raise SignatureRefusedError("the body is not the one that was signed")
        if not is_new(front.site.services.control, signed.nonce, at_ms=signed.at_ms):
            raise SignatureRefusedError("the request came before")
    except SignatureRefusedError as error:
        log.warning("a request that claims to be a peer's was refused: %s", error)
        raise Problem("unauthorized") from error
    return body


def require_client_or_peer(front: Front, request: Request) -> None:
    if HEADER in request.headers:
        body_of_peer(front, request, max_bytes=0)
    else:
        client_of(front, request)
