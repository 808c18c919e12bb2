"""Rows in a table of SQLite."""

import json
import uuid

from core.ports import Fields, Row, RowPage
from providers.local.database import Database


class LocalLedger:
    """The ledger of one cloud; several share a database under their names."""

    def __init__(self, database: Database, *, name: str) -> None:
        self._database = database
        self._name = name

    def get(self, row_id: str) -> Row | None:
        with self._database.transaction() as connection:
            row = connection.execute(
                "select version, fields from rows where ledger = ? and row_id = ?", (self._name, row_id)
            ).fetchone()
        return Row(row_id=row_id, version=row[0], fields=json.loads(row[1])) if row else None

    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        version = uuid.uuid4().hex
        text = json.dumps(fields, ensure_ascii=False)
        with self._database.transaction() as connection:
            if expect is None:
                done = connection.execute(
                    "insert or ignore into rows values (?, ?, ?, ?)", (self._name, row_id, version, text)
                )
            else:
                done = connection.execute(
                    "update rows set version = ?, fields = ? where ledger = ? and row_id = ? and version = ?",
                    (version, text, self._name, row_id, expect),
                )
        return version if done.rowcount == 1 else None

    def page(self, *, after: str = "", limit: int = 100) -> RowPage:
        with self._database.transaction() as connection:
            found = connection.execute(
                "select row_id, version, fields from rows where ledger = ? and row_id > ? order by row_id limit ?",
                (self._name, after, limit + 1),
            ).fetchall()
        rows = [Row(row_id=i, version=v, fields=json.loads(f)) for i, v, f in found[:limit]]
        return RowPage(rows=rows, after=rows[-1].row_id if len(found) > limit else "")
