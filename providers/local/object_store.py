"""Objects as files with random names in one folder. A key is data in a table and never becomes a path."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from core.errors import TransientError
from core.ports import Absence, ObjectInfo, ObjectPage, OpenObject, PresignedPut
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
