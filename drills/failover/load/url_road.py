"""The road by a name that the machine's own resolver knows: one URL, whatever cloud stands behind it."""

import threading
import time
from collections.abc import Mapping, Sequence

from drills.failover.load.clients import post_file, receipt_id
from drills.failover.load.http_client import NoAnswerError, ask
from drills.failover.load.sending import File, Patience, TryFailedError


class UrlRoad:
    """Goes where the URL leads. `GET /v1/serving` tells which cloud that is, for the report.

    While that cloud says that it does not serve, a try is counted under the last one that did. How long an answer of
    DNS is kept is up to the machine's resolver.
    """

    def __init__(self, url: str, *, first: str, patience: Patience) -> None:
        """`first`: the cloud to which it leads in the beginning."""
        self._url, self._patience = url.rstrip("/"), patience
        self._lock = threading.Lock()
        self._last = first

    def next_cloud(self, tried: Sequence[str]) -> str:
        until_s = time.monotonic() + self._patience.try_timeout_s
        try:
            answer = ask("GET", f"{self._url}/v1/serving", headers={}, until_s=until_s)
        except NoAnswerError as error:
            raise TryFailedError(str(error)) from error
        with self._lock:
            if answer.status == 200:
                self._last = str(answer.fields.get("cloud") or self._last)
            return self._last

    def pauses_after(self, try_count: int) -> bool:
        return True

    def key_of(self, file: File, try_number: int) -> str:
        return ""

    def attempt(self, cloud: str, file: File, headers: Mapping[str, str], *, key: str) -> str:
        kept = {name: value for name, value in headers.items() if name != "Sluice-Failed"}
        return receipt_id(post_file(self._url, file, kept, self._patience), file)
