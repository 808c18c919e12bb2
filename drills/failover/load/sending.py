"""Sends one file, with as many tries as it takes. All tries have one Idempotency-Key."""

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from drills.failover.history import Attempt, Sent
from drills.failover.scenario import Road

_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What is sent. `name` is unique in the drill."""

    name: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class TryFailedError(Exception):
    """This try was not acknowledged; the message says why in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What all clients have in common.

    Attributes:
        try_timeout_s: For one answer.
        give_up_s: No try of a file begins later than this after its first.
        headers: Of every request to the API.
    """

    copies: int
    try_timeout_s: float
    give_up_s: float
    headers: Mapping[str, str] = field(repr=False)


class Client(Protocol):
    """How files go by one road. Used by many threads."""

    def next_cloud(self, tried: Sequence[str]) -> str:
        """Where the next try goes, after these clouds were tried. Raises TryFailedError if that cannot be said."""

    def pauses_after(self, try_count: int) -> bool:
        """Whether to wait a moment before the next try, because there is no other cloud to try at once."""

    def key_of(self, file: File, try_number: int) -> str:
        """The key of the object that this try makes; "" where the API chooses it."""

    def attempt(self, cloud: str, file: File, headers: Mapping[str, str], *, key: str) -> str:
        """One try.

        Args:
            headers: That the API is to get.

        Returns:
            The receipt's upload id; "" where there are no receipts.

        Raises:
            TryFailedError: It is not acknowledged.
        """


def send(road: Road, client: Client, file: File, patience: Patience) -> Sent:
    """Send one file."""
    give_up_at_s = time.monotonic() + patience.give_up_s
    headers = {**patience.headers, "Idempotency-Key": uuid.uuid4().hex}
    attempts: list[Attempt] = []
    upload_id = ""
    while True:
        began_at_ms, cloud, error = _now_ms(), "", ""
        key = client.key_of(file, len(attempts))
        try:
            cloud = client.next_cloud([each.cloud for each in attempts])
            upload_id = client.attempt(cloud, file, headers | _failed(attempts, cloud), key=key)
        except TryFailedError as failure:
            error = str(failure)
        attempts.append(Attempt(cloud=cloud, began_at_ms=began_at_ms, ended_at_ms=_now_ms(), error=error, key=key))
        if not error or time.monotonic() + _PAUSE_S >= give_up_at_s:
            break
        if client.pauses_after(len(attempts)):
            time.sleep(_PAUSE_S)
    return Sent(
        road=road.value,
        name=file.name,
        sha256=file.sha256,
        size_bytes=len(file.content),
        upload_id=upload_id,
        attempts=tuple(attempts),
    )


def _failed(attempts: Sequence[Attempt], cloud: str) -> dict[str, str]:
    """Tell a cloud which other one failed just before."""
    last = attempts[-1].cloud if attempts else ""
    return {"Sluice-Failed": last} if last and last != cloud else {}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
