"""The memory adapters behind services that may fail; what is written is shown to whoever checks it."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from core.ports import Absence, Depth, Fields, Message, ObjectInfo, ObjectPage, OpenObject, PresignedPut, Row, RowPage
from providers.memory.ledger import MemoryLedger
from providers.memory.object_store import MemoryObjectStore
from providers.memory.work_queue import MemoryWorkQueue
from tests.simulation.clouds.faults import Service

Wrote = Callable[[Row | None, Fields], None]


class ServedLedger:
    """A table behind a service. `wrote` sees each row before and after a write that took place."""

    def __init__(self, table: MemoryLedger, service: Service, *, wrote: Wrote) -> None:
        self._table = table
        self._service = service
        self._wrote = wrote

    def get(self, row_id: str) -> Row | None:
        return self._service.call(lambda: self._table.get(row_id))

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        return self._service.call(lambda: self._put(row_id, fields, expect), is_write=True)

    def page(self, *, after: str = "", limit: int = 100) -> RowPage:
        return self._service.call(lambda: self._table.page(after=after, limit=limit))

    def _put(self, row_id: str, fields: Fields, expect: str | None) -> str | None:
        before = self._table.get(row_id)
        version = self._table.put(row_id, fields, expect=expect)
        if version is not None:
            self._wrote(before, {**fields, "row_id": row_id})
        return version


class ServedStore:
    """A bucket behind a service. `stored` is told of each new object, as the cloud's own notifications are."""

    def __init__(
        self, bucket: MemoryObjectStore, service: Service, *, cloud: str, stored: Callable[[ObjectInfo], None]
    ) -> None:
        self.bucket = bucket.bucket
        self._cloud = cloud
        self._bucket = bucket
        self._service = service
        self._stored = stored

    @contextmanager
    def open(self, key: str, *, version: str) -> Iterator[OpenObject | Absence]:
        with self._service.call(lambda: self._bucket.open(key, version=version), opens=True) as found:
            yield found

    def put(
        self, key: str, body: BinaryIO, *, size_bytes: int, if_absent: bool = False, derived_from: str = ""
    ) -> ObjectInfo | None:
        return self._service.call(lambda: self._put(key, body, size_bytes, if_absent), is_write=True)

    def find(self, key: str) -> ObjectInfo | None:
        return self._service.call(lambda: self._bucket.find(key))

    def presign_get(self, key: str, *, version: str, valid_s: int) -> str:
        return self._service.call(lambda: json.dumps([self._cloud, key, version]))

    def presign_put(self, key: str, *, size_bytes: int, content_type: str, valid_s: int) -> PresignedPut:
        return self._service.call(
            lambda: self._bucket.presign_put(key, size_bytes=size_bytes, content_type=content_type, valid_s=valid_s)
        )

    def page(self, *, after: str = "", limit: int = 1000) -> ObjectPage:
        return self._service.call(lambda: self._bucket.page(after=after, limit=limit))

    def _put(self, key: str, body: BinaryIO, size_bytes: int, if_absent: bool) -> ObjectInfo | None:
        info = self._bucket.put(key, body, size_bytes=size_bytes, if_absent=if_absent)
        if info is not None:
            self._stored(info)
        return info


class ServedQueue:
    """A queue behind a service. It shows each message that a worker has deleted, and all that was sent."""

    def __init__(
        self,
        queue: MemoryWorkQueue,
        service: Service,
        *,
        acknowledged: Callable[[Message], None] = lambda _: None,
        sent: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._queue = queue
        self._service = service
        self._acknowledged = acknowledged
        self._sent = sent

    def send(self, bodies: Sequence[str]) -> None:
        self._service.call(lambda: self._send(bodies), is_write=True)

    def receive(self, *, limit: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        return self._service.call(
            lambda: self._queue.receive(limit=limit, wait_s=wait_s, visibility_timeout_s=visibility_timeout_s)
        )

    def acknowledge(self, message: Message) -> None:
        self._service.call(lambda: self._acknowledge(message), is_write=True)

    def extend(self, message: Message, *, visibility_timeout_s: int) -> None:
        self._service.call(
            lambda: self._queue.extend(message, visibility_timeout_s=visibility_timeout_s), is_write=True
        )

    def depth(self) -> Depth:
        return self._service.call(self._queue.depth)

    def _send(self, bodies: Sequence[str]) -> None:
        self._queue.send(bodies)
        self._sent(bodies)

    def _acknowledge(self, message: Message) -> None:
        self._queue.acknowledge(message)
        self._acknowledged(message)
