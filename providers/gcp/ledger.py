"""Rows as documents of a Firestore collection (native mode).

There is no TTL policy, on purpose: a claim that has run out is evidence of unfinished work, not garbage.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from core.ports import Fields, Row, RowPage
from providers.gcp.clients import GoogleApi
from providers.gcp.errors import CallError, translate

_WRITE = "row_write"  # names one write; not part of the row's fields
_VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


class FirestoreLedger:
    """One collection. A row's version is its document's update time, which Firestore's conditions are made of.

    Each write carries a fresh token: by it a resent write is known, and because of it a write of equal fields is a
    change, without which the update time would stay ("WriteResult", Firestore RPC reference).
    """

    def __init__(self, *, database: str, collection: str, api: GoogleApi) -> None:
        """`database` is "projects/<project>/databases/<name>"."""
        self._documents = f"{database}/documents"
        self._collection = collection
        self._api = api

    def get(self, row_id: str) -> Row | None:
        found = self._get(row_id)
        return _from_document(found) if found else None

    # Our write, its answer lost, and its second sending:
    #
    #     at time 1 ── ours lands ──> at time 2 ── ours again, expecting 1: refused ──> the row has our token,
    #                  answer lost                                                      so it is no lost race
    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        if expect is not None and not _VERSION.fullmatch(expect):
            return None  # no version that a row of ours ever had
        if _WRITE in fields:
            raise ValueError(f"row {row_id}: the collection needs the name {_WRITE}")
        token = uuid.uuid4().hex
        write = {
            "update": {"name": self._name(row_id), "fields": _to_values({**fields, _WRITE: token})},
            "currentDocument": {"exists": False} if expect is None else {"updateTime": expect},
        }
        try:
            answer = self._api.call("POST", f"/v1/{self._documents}:commit", body={"writes": [write]})
        except CallError as error:
            if error.code in ("ALREADY_EXISTS", "FAILED_PRECONDITION", "NOT_FOUND"):
                return self._after_refusal(row_id, token, error)
            if error.code == "INVALID_ARGUMENT" and expect is not None and self._is_other(row_id, expect):
                # A version later than the row's: of another row, or the database was restored to an earlier time.
                return None
            raise translate(
                error, operation="Firestore commit", subject=self._subject(row_id), is_write=True
            ) from error
        return _version(answer["writeResults"][0]["updateTime"])

    def page(self, *, after: str = "", limit: int = 100) -> RowPage:
        """As the port says, in the order of the documents' names."""
        query: dict[str, Any] = {
            "from": [{"collectionId": self._collection}],
            "orderBy": [{"field": {"fieldPath": "__name__"}}],
            "limit": limit + 1,
        }
        if after:
            query["startAt"] = {"values": [{"referenceValue": self._name(after)}], "before": False}
        try:
            found = self._api.call("POST", f"/v1/{self._documents}:runQuery", body={"structuredQuery": query})
        except CallError as error:
            raise translate(error, operation="Firestore runQuery", subject=self._subject("")) from error
        rows = [_from_document(entry["document"]) for entry in found if "document" in entry]
        return RowPage(rows=rows[:limit], after=rows[limit - 1].row_id if len(rows) > limit else "")

    def _get(self, row_id: str) -> Any:
        # Not the document by its address: that 404 would not tell a missing row from a missing database.
        try:
            found = self._api.call("POST", f"/v1/{self._documents}:batchGet", body={"documents": [self._name(row_id)]})
        except CallError as error:
            raise translate(error, operation="Firestore batchGet", subject=self._subject(row_id)) from error
        return next((entry["found"] for entry in found if "found" in entry), None)

    def _is_other(self, row_id: str, version: str) -> bool:
        row = self.get(row_id)
        return row is None or row.version != version

    def _after_refusal(self, row_id: str, token: str, error: CallError) -> str | None:
        if error.code != "NOT_FOUND" and not error.was_retried:
            return None
        found = self._get(row_id)  # raises if it is the database that is missing
        if found is None or found["fields"].get(_WRITE, {}).get("stringValue") != token:
            return None
        return _version(found["updateTime"])

    def _name(self, row_id: str) -> str:
        # "." and ".." and __x__ are no document ids, and "/" would be a subcollection ("Usage and limits").
        escaped = quote(row_id, safe="").replace(".", "%2E").replace("__", "%5F%5F")
        return f"{self._documents}/{self._collection}/{escaped}"

    def _subject(self, row_id: str) -> str:
        return f"row {row_id} in collection {self._collection}"


def _to_values(fields: Fields) -> dict[str, Any]:
    return {
        name: {"stringValue": value} if isinstance(value, str) else {"integerValue": str(value)}
        for name, value in fields.items()
    }


def _from_document(document: Mapping[str, Any]) -> Row:
    fields: dict[str, str | int] = {}
    for name, value in document["fields"].items():
        if name != _WRITE:
            fields[name] = int(value["integerValue"]) if "integerValue" in value else value["stringValue"]
    return Row(
        row_id=unquote(document["name"].rpartition("/")[2]), fields=fields, version=_version(document["updateTime"])
    )


def _version(update_time: str) -> str:
    """An update time in its one longest form: JSON may write 0, 3, 6 or 9 digits of a second's fraction."""
    seconds, _, fraction = update_time.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction.ljust(9, '0')}Z"
