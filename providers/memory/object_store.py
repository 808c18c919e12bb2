"""Objects in a dict."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from core.errors import TransientError
from core.parts import check_parts, part_key, part_sizes
from core.ports import Absence, ObjectInfo, ObjectPage, OpenObject, PresignedParts, PresignedPut


class MemoryObjectStore:
    """A bucket without versions: a put replaces what was there. Presigned URLs are of no use elsewhere."""

    def __init__(self, *, bucket: str = "memory", clock_ms: Callable[[], int] = lambda: 0) -> None:
        self.bucket = bucket
        self._clock_ms = clock_ms
        self._objects: dict[str, tuple[ObjectInfo, bytes]] = {}
        self._put_count = 0
        self._joining = threading.Lock()

    @contextmanager
    def open(self, key: str, *, version: str) -> Iterator[OpenObject | Absence]:
        if key not in self._objects:
            yield Absence.MISSING
            return
        info, content = self._objects[key]
        yield OpenObject(info=info, body=io.BytesIO(content)) if info.version == version else Absence.REPLACED

    def put(
        self, key: str, body: BinaryIO, *, size_bytes: int, if_absent: bool = False, derived_from: str = ""
    ) -> ObjectInfo | None:
        content = body.read()
        if len(content) != size_bytes:
            raise TransientError(f"memory put: the body has {len(content)} of {size_bytes} bytes")
        if if_absent and key in self._objects:
            return None
        self._put_count += 1
        info = ObjectInfo(
            key=key,
            version=str(self._put_count),
            size_bytes=size_bytes,
            modified_at_ms=self._clock_ms(),
            derived_from=derived_from,
        )
        self._objects[key] = info, content
        return info

    def find(self, key: str) -> ObjectInfo | None:
        found = self._objects.get(key)
        return found[0] if found else None

    def delete(self, key: str) -> None:
        """Not part of the port: lets a test be the user who deletes."""
        self._objects.pop(key, None)

    def presign_get(self, key: str, *, version: str, valid_s: int) -> str:
        return f"memory://{self.bucket}/{key}?version={version}&valid_s={valid_s}"

    def presign_put(self, key: str, *, size_bytes: int, content_type: str, valid_s: int) -> PresignedPut:
        headers = {"content-length": str(size_bytes), "content-type": content_type}
        return PresignedPut(url=f"memory://{self.bucket}/{key}?valid_s={valid_s}", headers=headers)

    def presign_parts(
        self, key: str, *, size_bytes: int, content_type: str, part_bytes: int, valid_s: int
    ) -> PresignedParts:
        """As the port says; each part is put as an object of its own (`core.parts.part_key`)."""
        parts = [
            self.presign_put(part_key(key, number), size_bytes=size, content_type=content_type, valid_s=valid_s)
            for number, size in enumerate(part_sizes(size_bytes, part_bytes), start=1)
        ]
        return PresignedParts(parts=parts, handle="parts")

    def join_parts(self, key: str, *, handle: str, size_bytes: int, etags: Sequence[str]) -> ObjectInfo:
        with self._joining:
            if found := self.find(key):
                return found
            keys = [part_key(key, number) for number in range(1, len(etags) + 1)]
            parts = [self._objects[part][1] if part in self._objects else None for part in keys]
            check_parts([None if part is None else len(part) for part in parts], size_bytes=size_bytes)
            whole = io.BytesIO(b"".join(part or b"" for part in parts))
            self.put(key, whole, size_bytes=size_bytes, if_absent=True)
            for part_of_key in keys:
                self.delete(part_of_key)
            return self._objects[key][0]

    def page(self, *, after: str = "", limit: int = 1000) -> ObjectPage:
        keys = sorted(key for key in self._objects if key > after)
        objects = [self._objects[key][0] for key in keys[:limit]]
        return ObjectPage(objects=objects, after=keys[limit - 1] if len(keys) > limit else "")
