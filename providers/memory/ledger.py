"""Rows in a dict."""

from threading import Lock

from core.ports import Fields, Row, RowPage


class MemoryLedger:
    """A table whose versions count up."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._write_count = 0
        self._lock = Lock()

    def get(self, row_id: str) -> Row | None:
        return self._rows.get(row_id)

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        with self._lock:
            row = self._rows.get(row_id)
            if (row.version if row else None) != expect:
                return None
            self._write_count += 1
            version = str(self._write_count)
            self._rows[row_id] = Row(row_id=row_id, fields=dict(fields), version=version)
            return version

    def page(self, *, after: str = "", limit: int = 100) -> RowPage:
        ids = sorted(row_id for row_id in self._rows if row_id > after)
        rows = [self._rows[row_id] for row_id in ids[:limit]]
        return RowPage(rows=rows, after=ids[limit - 1] if len(ids) > limit else "")
