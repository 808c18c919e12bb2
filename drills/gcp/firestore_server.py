"""Our stand-in for Firestore: documents in SQLite, with the conditions and the listing that Sluice needs.

`python -m drills.gcp.firestore_server --grpc-port P --http-port P --file FILE`

It is not Google's: Google's emulator needs gcloud and Java, and loses everything when it is killed. What both do is
shown by tests/drills/gcp. Methods: Commit (conditions, whole documents), BatchGetDocuments, RunQuery (one collection by
name, with a cursor and a limit). Everything else is refused.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from google.cloud.firestore_v1.types import document, firestore

from drills.gcp.rpc_server import Database, Rpc, RpcError, serve

_SERVICE = "google.firestore.v1.Firestore"
_DOCUMENTS = r"projects/[^/]+/databases/[^/]+/documents"
_DOCUMENT_MAX_BYTES = 1_048_576  # "Usage and limits": a document has up to 1 MiB

_TABLES = """
    create table if not exists documents (
        name text primary key, collection text, content blob, created_at_us integer, updated_at_us integer);
    create table if not exists clock (last_us integer);
"""


class FirestoreServer:
    """The methods, on one database file."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _TABLES)

    def commit(self, request: Any) -> Any:
        """All writes or none, each under its condition, all at one time that is later than any before."""
        answer = firestore.CommitResponse.pb()()
        with self._database.transaction() as connection:
            at_us = _next_time_us(connection)
            for write in request.writes:
                updated_at_us = _apply(connection, write, at_us)
                answer.write_results.add().update_time.FromMicroseconds(updated_at_us)
            answer.commit_time.FromMicroseconds(at_us)
        return answer

    def batch_get(self, request: Any) -> Iterator[Any]:
        """Each document as it is, or that it is missing."""
        for name in request.documents:
            part = firestore.BatchGetDocumentsResponse.pb()()
            with self._database.transaction() as connection:
                found = _find(connection, name)
            if found is None:
                part.missing = name
            else:
                part.found.CopyFrom(found)
            part.read_time.GetCurrentTime()
            yield part

    def run_query(self, request: Any) -> Iterator[Any]:
        """The documents of one collection, by name, after a cursor."""
        query = request.structured_query
        orders = [order.field.field_path for order in query.order_by]
        if len(query.from_) != 1 or orders not in ([], ["__name__"]) or query.HasField("where"):
            raise RpcError("UNIMPLEMENTED", "only one collection, in the order of names")
        collection = f"{request.parent}/{query.from_[0].collection_id}"
        after = query.start_at.values[0].reference_value if query.HasField("start_at") else ""
        if after and query.start_at.before:
            raise RpcError("UNIMPLEMENTED", "only a cursor after a document")
        limit = query.limit.value if query.HasField("limit") else -1
        with self._database.transaction() as connection:
            names = connection.execute(
                "select name from documents where collection = ? and name > ? order by name limit ?",
                (collection, after, limit),
            ).fetchall()
            found = [_find(connection, name) for (name,) in names]
        for each in found:
            part = firestore.RunQueryResponse.pb()()
            part.document.CopyFrom(each)
            part.read_time.GetCurrentTime()
            yield part
        if not found:
            part = firestore.RunQueryResponse.pb()()
            part.read_time.GetCurrentTime()
            yield part

    def rpcs(self) -> list[Rpc]:
        return [
            Rpc(
                service=_SERVICE,
                name="Commit",
                request=firestore.CommitRequest.pb(),
                answer=firestore.CommitResponse.pb(),
                run=self.commit,
                http=("POST", rf"/v1/(?P<database>{_DOCUMENTS.removesuffix('/documents')})/documents:commit"),
            ),
            Rpc(
                service=_SERVICE,
                name="BatchGetDocuments",
                request=firestore.BatchGetDocumentsRequest.pb(),
                answer=firestore.BatchGetDocumentsResponse.pb(),
                run=self.batch_get,
                http=("POST", rf"/v1/(?P<database>{_DOCUMENTS.removesuffix('/documents')})/documents:batchGet"),
                is_streaming=True,
            ),
            Rpc(
                service=_SERVICE,
                name="RunQuery",
                request=firestore.RunQueryRequest.pb(),
                answer=firestore.RunQueryResponse.pb(),
                run=self.run_query,
                http=("POST", rf"/v1/(?P<parent>{_DOCUMENTS}):runQuery"),
                is_streaming=True,
            ),
        ]


def _next_time_us(connection: Connection) -> int:
    # Update times are versions, so they never repeat, not even when the machine's clock is set back.
    [[last_us]] = connection.execute("select coalesce(max(last_us), 0) from clock").fetchall()
    at_us = max(time.time_ns() // 1000, int(last_us) + 1)
    connection.execute("delete from clock")
    connection.execute("insert into clock values (?)", (at_us,))
    return at_us


def _apply(connection: Connection, write: Any, at_us: int) -> int:
    if write.WhichOneof("operation") != "update" or write.HasField("update_mask") or write.update_transforms:
        raise RpcError("UNIMPLEMENTED", "only whole documents are written")
    new = write.update
    if new.ByteSize() > _DOCUMENT_MAX_BYTES:
        raise RpcError("INVALID_ARGUMENT", f"the document has more than {_DOCUMENT_MAX_BYTES} bytes")
    old = _find(connection, new.name)
    _require(write.current_document, old)
    content = new.SerializeToString(deterministic=True)
    created_at_us = old.create_time.ToMicroseconds() if old is not None else at_us
    if old is not None and old.fields == new.fields:
        return int(old.update_time.ToMicroseconds())  # "WriteResult": no change, so the time of the last one
    connection.execute(
        "insert or replace into documents values (?, ?, ?, ?, ?)",
        (new.name, new.name.rpartition("/")[0], content, created_at_us, at_us),
    )
    return at_us


def _require(condition: Any, old: Any) -> None:
    match condition.WhichOneof("condition_type"):
        case "exists" if condition.exists and old is None:
            raise RpcError("NOT_FOUND", "no document to update")
        case "exists" if not condition.exists and old is not None:
            raise RpcError("ALREADY_EXISTS", "the document already exists")
        case "update_time" if old is None:
            raise RpcError("FAILED_PRECONDITION", "the stored version (0) does not match the required one")
        case "update_time" if condition.update_time.ToNanoseconds() > old.update_time.ToNanoseconds():
            # As Google's emulator 1.19.9 answers (measured 2026-11-24).
            raise RpcError("INVALID_ARGUMENT", "the required version is greater than the stored one")
        case "update_time" if condition.update_time != old.update_time:
            raise RpcError("FAILED_PRECONDITION", "the stored version does not match the required one")


def _find(connection: Connection, name: str) -> Any:
    row = connection.execute(
        "select content, created_at_us, updated_at_us from documents where name = ?", (name,)
    ).fetchone()
    if row is None:
        return None
    found = document.Document.pb().FromString(row[0])
    found.name = name
    found.create_time.FromMicroseconds(row[1])
    found.update_time.FromMicroseconds(row[2])
    return found


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    server = FirestoreServer(options.file)
    serve(server.rpcs(), grpc_port=options.grpc_port, http_port=options.http_port, extra_get=lambda *_: None)


if __name__ == "__main__":
    main()
