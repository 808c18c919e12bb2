"""Objects in a dict."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from core.errors import TransientError
from core.ports import Absence, ObjectInfo, ObjectPage, OpenObject, PresignedPut


class MemoryObjectStore:
    """A bucket without versions: a put replaces what was there. Presigned URLs are of no use elsewhere."""

    def __init__(self, *, bucket: str = "memory", clock_ms: Callable[[], int] = lambda: 0) -> None:
        self.bucket = bucket
        self._clock_ms = clock_ms
        self._objects: dict[str, tuple[ObjectInfo, bytes]] = {}
        self._put_count = 0

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

    def page(self, *, after: str = "", limit: int = 1000) -> ObjectPage:
        keys = sorted(key for key in self._objects if key > after)
        objects = [self._objects[key][0] for key in keys[:limit]]
        return ObjectPage(objects=objects, after=keys[limit - 1] if len(keys) > limit else "")
