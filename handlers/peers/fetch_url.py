"""Reads an upload that another cloud handed over, from the URL that came with it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage

from core.errors import ProviderUnusableError, TransientError, UploadRejectedError
from core.ports import Absence, ObjectInfo, OpenObject, Readable
from handlers.peers.http_call import NoAnswerError, NoConnectionError, opened
from handlers.peers.settings import origin_of

# Amazon's and Google's names for metadata; Azure allows no hyphens.
_DERIVED_FROM = ("x-amz-meta-sluice-derived-from", "x-goog-meta-sluice-derived-from", "x-ms-meta-sluicederivedfrom")


def is_allowed(url: str, origins: Collection[str]) -> bool:
    """Whether a URL points to where a peer's may. Any other would let a caller choose our requests."""
    try:
        return origin_of(url) in origins
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchUrl:
    """Opens URLs of the allowed origins, and no others.

    Attributes:
        origins: As `https://host`.
        timeout_s: How long the other side may be silent.
    """

    origins: Collection[str]
    timeout_s: float

    @contextmanager
    def __call__(self, url: str) -> Iterator[OpenObject | Absence]:
        """Open the object.

        Raises:
            UploadRejectedError: The URL points elsewhere.
            ProviderUnusableError: No connection, or refused: expired, or redirected, which is never followed.
            TransientError: The moment is to blame; also while the body is read.
        """
        if not is_allowed(url, self.origins):
            raise UploadRejectedError("the work's URL does not point to where a peer's objects are")
        try:
            with opened("GET", url, headers={"Accept-Encoding": "identity"}, timeout_s=self.timeout_s) as response:
                yield _found(response.status, response.headers, response)
        except NoConnectionError as error:
            raise ProviderUnusableError(f"the peer's object store: no connection ({error})") from error
        except NoAnswerError as error:
            raise TransientError(f"the peer's object store: no answer ({error})") from error


def _found(status: int, headers: HTTPMessage, body: Readable) -> OpenObject | Absence:
    size = headers.get("Content-Length", "")
    match status:
        case 200 if size.isascii() and size.isdigit():
            derived_from = next((headers[name] for name in _DERIVED_FROM if name in headers), "")
            return OpenObject(
                info=ObjectInfo(key="", version="", size_bytes=int(size), derived_from=derived_from), body=body
            )
        case 404 | 410:
            return Absence.MISSING
        case 429 | 500 | 502 | 503 | 504:
            raise TransientError(f"the peer's object store answered {status}")
        case _:
            raise ProviderUnusableError(f"the peer's object store answered {status}, which gives no object")
