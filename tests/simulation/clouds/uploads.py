"""What clients and users put into the simulated clouds."""

import hashlib
from dataclasses import dataclass

from core.upload import derived_id_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One upload. `copies` is 0 for an object that was put straight into a bucket."""

    upload_id: str
    name: str
    content: bytes
    copies: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def api_upload(name: str, *, copies: int) -> Sent:
    """An upload through the API; a client that tries again uses the same id."""
    return Sent(
        upload_id=derived_id_of("simulation", name), name=name, content=f"content of {name}".encode(), copies=copies
    )
