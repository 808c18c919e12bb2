"""Objects as files with random names in one folder. A key is data in a table and never becomes a path."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from core.errors import TransientError, UploadRejectedError
from core.parts import check_parts, part_key, part_sizes
from core.ports import Absence, ObjectInfo, ObjectPage, OpenObject, PresignedParts, PresignedPut
from providers.local.database import Database


class LocalObjectStore:
    """A bucket that keeps every version. Presigned URLs name a file that only this machine can read."""

    def __init__(
        self, database: Database, *, bucket: str, clock_ms: Callable[[], int], new_version: Callable[[], str]
    ) -> None:
        """`new_version` names an object's version as the cloud would whose bucket this stands in for."""
        self.bucket = bucket
        self._database = database
        self._clock_ms = clock_ms
        self._new_version = new_version

    @contextmanager
    def open(self, key: str, *, version: str) -> Iterator[OpenObject | Absence]:
        found = self._find(key, version)
        if found is None:
            yield Absence.MISSING
            return
        info, path = found
        with path.open("rb") as body:
            yield OpenObject(info=info, body=body)

    def put(
        self, key: str, body: BinaryIO, *, size_bytes: int, if_absent: bool = False, derived_from: str = ""
    ) -> ObjectInfo | None:
        name = uuid.uuid4().hex
        path = self._database.folder / "objects" / name
        info = ObjectInfo(
            key=key,
            version=self._new_version(),
            size_bytes=size_bytes,
            modified_at_ms=self._clock_ms(),
            derived_from=derived_from,
        )
        kept = False
        try:
            with path.open("xb") as file:
                shutil.copyfileobj(body, file, 1024 * 1024)
                file.flush()
                os.fsync(file.fileno())
            if path.stat().st_size != size_bytes:
                raise TransientError(f"embedded put: the body has {path.stat().st_size} of {size_bytes} bytes")
            kept = self._insert(info, name, if_absent=if_absent)
        finally:
            if not kept:
                path.unlink(missing_ok=True)
        return info if kept else None

    def find(self, key: str) -> ObjectInfo | None:
        with self._database.transaction() as connection:
            row = connection.execute(
                """select version, size_bytes, modified_at_ms, derived_from from objects
                   where bucket = ? and key = ? order by place desc limit 1""",
                (self.bucket, key),
            ).fetchone()
        if row is None:
            return None
        version, size_bytes, modified_at_ms, derived_from = row
        return ObjectInfo(
            key=key, version=version, size_bytes=size_bytes, modified_at_ms=modified_at_ms, derived_from=derived_from
        )

    def presign_get(self, key: str, *, version: str, valid_s: int) -> str:
        found = self._find(key, version)
        path = found[1] if found else self._database.folder / "objects" / "no-such-version"
        return path.absolute().as_uri()

    def presign_put(self, key: str, *, size_bytes: int, content_type: str, valid_s: int) -> PresignedPut:
        headers = {"content-length": str(size_bytes), "content-type": content_type}
        return PresignedPut(url=(self._database.folder / "objects").absolute().as_uri(), headers=headers)

    def presign_parts(
        self, key: str, *, size_bytes: int, content_type: str, part_bytes: int, valid_s: int
    ) -> PresignedParts:
        """As the port says, for whoever can put at all; each part is an object of its own (`core.parts.part_key`)."""
        folder = (self._database.folder / "objects").absolute().as_uri()
        parts = [
            PresignedPut(url=f"{folder}/{part_key(key, number)}", headers={"content-length": str(size)})
            for number, size in enumerate(part_sizes(size_bytes, part_bytes), start=1)
        ]
        return PresignedParts(parts=parts, handle="parts")

    def join_parts(self, key: str, *, handle: str, size_bytes: int, etags: Sequence[str]) -> ObjectInfo:
        if found := self.find(key):
            return found
        found_parts = [self.find(part_key(key, number)) for number in range(1, len(etags) + 1)]
        try:
            check_parts([part.size_bytes if part else None for part in found_parts], size_bytes=size_bytes)
            parts = [part for part in found_parts if part]
            with tempfile.TemporaryFile(dir=self._database.folder / "objects") as whole:
                self._copy(parts, whole)
                self.put(key, whole, size_bytes=size_bytes, if_absent=True)
        except UploadRejectedError:  # or another joined them meanwhile
            if joined := self.find(key):
                return joined
            raise
        self._delete([part.key for part in parts])
        joined = self.find(key)
        assert joined is not None, "it was put just now, or by another"
        return joined

    def page(self, *, after: str = "", limit: int = 1000) -> ObjectPage:
        with self._database.transaction() as connection:
            rows = connection.execute(
                """select key, version, size_bytes, modified_at_ms, max(place) from objects
                   where bucket = ? and key > ? group by key order by key limit ?""",
                (self.bucket, after, limit + 1),
            ).fetchall()
        objects = [ObjectInfo(key=k, version=v, size_bytes=s, modified_at_ms=m) for k, v, s, m, _ in rows[:limit]]
        return ObjectPage(objects=objects, after=objects[-1].key if len(rows) > limit else "")

    def _find(self, key: str, version: str) -> tuple[ObjectInfo, Path] | None:
        with self._database.transaction() as connection:
            row = connection.execute(
                """select size_bytes, modified_at_ms, derived_from, file from objects
                   where bucket = ? and key = ? and version = ?""",
                (self.bucket, key, version),
            ).fetchone()
        if row is None:
            return None
        size_bytes, modified_at_ms, derived_from, file = row
        info = ObjectInfo(
            key=key, version=version, size_bytes=size_bytes, modified_at_ms=modified_at_ms, derived_from=derived_from
        )
        return info, self._database.folder / "objects" / file

    def _copy(self, parts: Sequence[ObjectInfo], whole: BinaryIO) -> None:
        for number, part in enumerate(parts, start=1):
            found = self._find(part.key, part.version)
            if found is None:
                raise UploadRejectedError(f"part {number} is missing")
            with found[1].open("rb") as body:
                shutil.copyfileobj(body, whole, 1024 * 1024)
        whole.seek(0)

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            with self._database.transaction() as connection:
                found = connection.execute(
                    "delete from objects where bucket = ? and key = ? returning file", (self.bucket, key)
                ).fetchall()
            for (file,) in found:
                (self._database.folder / "objects" / file).unlink(missing_ok=True)

    def _insert(self, info: ObjectInfo, file: str, *, if_absent: bool) -> bool:
        with self._database.transaction() as connection:
            taken = connection.execute("select 1 from objects where bucket = ? and key = ?", (self.bucket, info.key))
            if if_absent and taken.fetchone():
                return False
            connection.execute(
                """insert into objects (bucket, key, version, size_bytes, modified_at_ms, derived_from, file)
                   values (?, ?, ?, ?, ?, ?, ?)""",
                (self.bucket, info.key, info.version, info.size_bytes, info.modified_at_ms, info.derived_from, file),
            )
        return True
