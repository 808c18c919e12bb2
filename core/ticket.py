"""An upload through the API, from its first byte to its receipt: what it is called, and what was promised of it."""

import re
from dataclasses import dataclass

from core.errors import UploadRejectedError
from core.parts import SIZE_MAX_BYTES
from core.record import Record, State
from core.upload import Upload, derived_id_of

NAME_MAX_BYTES = 255  # of UTF-8; a file name on every system, and with "u/<id>/" a key on every cloud
PUT_MAX_BYTES = 5_000_000_000  # one PUT on S3 ("Uploading objects": 5 GB); above it in parts

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One upload through the API. It has the same key, and so the same id, in every cloud that holds a copy.

    Attributes:
        sha256: Of the content, in hex, as it was checked or declared; "" if the client declared none (presigned).
        home: The cloud that is to process it first; the others that hold a copy take over when it does not.
        accepted_at_ms: When the upload began, by the clock of the cloud that took it.
    """

    upload_id: str
    name: str
    size_bytes: int
    sha256: str
    home: str
    accepted_at_ms: int

    @property
    def key(self) -> str:
        return f"u/{self.upload_id}/{self.name}"

    def pending(self, *, cloud: str, bucket: str) -> Record:
        """The record that stands in a cloud from before its copy does."""
        upload = Upload(
            upload_id=self.upload_id, cloud=cloud, bucket=bucket, key=self.key, version="", size_bytes=self.size_bytes
        )
        return Record(
            upload=upload,
            state=State.PENDING,
            sha256=self.sha256,
            home=self.home,
            accepted_at_ms=self.accepted_at_ms,
        )


def check_ticket(ticket: Ticket) -> Ticket:
    """Refuse what no cloud could keep.

    Raises:
        UploadRejectedError: Names the field and what it may be, and quotes nothing.
    """
    name = ticket.name
    if not 1 <= len(name.encode(errors="surrogatepass")) <= NAME_MAX_BYTES:
        raise UploadRejectedError(f"name must have 1 to {NAME_MAX_BYTES} bytes of UTF-8")
    if "/" in name or "\\" in name or name in (".", "..") or not name.isprintable():
        raise UploadRejectedError("name must be a file name: printable, without slashes, and neither . nor ..")
    if not 0 <= ticket.size_bytes <= SIZE_MAX_BYTES:
        raise UploadRejectedError(f"size_bytes must be a whole number from 0 to {SIZE_MAX_BYTES}")
    if ticket.sha256 and not _SHA256.fullmatch(ticket.sha256):
        raise UploadRejectedError("sha256 must be 64 hexadecimal digits in lower case")
    return ticket


def upload_id_of_request(*, client: str, idempotency_key: str) -> str:
    """The id of an upload whose request carries an idempotency key: the same in every cloud that the client tries.

    Args:
        client: Who asks; two clients' equal keys are different uploads.
    """
    return derived_id_of("api", client, idempotency_key)
