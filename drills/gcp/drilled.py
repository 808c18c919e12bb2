"""The local Google Cloud as the upload drill sees it: Google's own clients, without the product's code."""

from collections.abc import Mapping
from typing import Any

from drills.gcp.cloud import COLLECTION, PROJECT, LocalGcp
from drills.gcp.google import read_collection, storage_client
from drills.sample_files import MIB

_FAILED_CALL = b"Exception on /"  # how the framework's web server logs a function that raised


class DrilledGcp:
    """Large files are put with a resumable upload in chunks."""

    name = "gcp"

    def __init__(self, gcp: LocalGcp) -> None:
        self._gcp = gcp
        self._bucket = storage_client(gcp.storage.url, project=PROJECT).bucket(gcp.bucket)

    def put(self, key: str, body: bytes) -> None:
        self._bucket.blob(key, chunk_size=8 * MIB).upload_from_string(body, content_type="application/octet-stream")

    def scan(self) -> list[Mapping[str, Any]]:
        return list(read_collection(self._gcp.firestore.grpc_address, project=PROJECT, collection=COLLECTION))

    @property
    def waiting_count(self) -> int:
        return self._gcp.message_count("work")

    @property
    def parked_count(self) -> int:
        return self._gcp.message_count("parked")

    @property
    def failed_call_count(self) -> int:
        return self._gcp.function.log_path.read_bytes().count(_FAILED_CALL)
