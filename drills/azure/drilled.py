"""The local Azure as the upload drill sees it: Microsoft's own clients, without the product's code."""

from collections.abc import Mapping
from typing import Any

from drills.azure.cloud import LocalAzure


class DrilledAzure:
    """Large files are put in blocks."""

    name = "azure"

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def put(self, key: str, body: bytes) -> None:
        self._azure.put(key, body)

    def scan(self) -> list[Mapping[str, Any]]:
        return [*self._azure.scan()]

    @property
    def waiting_count(self) -> int:
        return self._azure.work_count

    @property
    def parked_count(self) -> int:
        return self._azure.parked_count

    @property
    def failed_call_count(self) -> int:
        return self._azure.host.counts.error
