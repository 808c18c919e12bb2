"""The SQLite file that the embedded store, ledger and queues share."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ProviderUnusableError, TransientError

_TABLES = (
    """create table if not exists objects (
           place integer primary key autoincrement, bucket text, key text, version text, size_bytes integer,
           modified_at_ms integer, derived_from text, file text, unique (bucket, key, version))""",
    """create table if not exists rows (
           ledger text, row_id text, version text, fields text, primary key (ledger, row_id))""",
    """create table if not exists messages (
           id integer primary key autoincrement, queue text, body text,
           visible_at_ms integer, receive_count integer)""",
)


class Database:
    """One folder; a connection for each operation, so that threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            (folder / "objects").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProviderUnusableError(f"the embedded store cannot use the folder {folder}: {error}") from error
        with self.transaction() as connection:
            for table in _TABLES:
                connection.execute(table)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in it happens, or nothing; one writer at a time.

        Raises:
            TransientError: The file was busy for too long, or could not be written.
        """
        connection = sqlite3.connect(self.folder / "sluice.sqlite", timeout=30, isolation_level=None)
        try:
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")
        except sqlite3.Error as error:
            raise TransientError(f"the embedded store in {self.folder}: {error}") from error
        finally:
            connection.close()
