"""Rows as entities of Table Storage. Each row is a partition of its own, so that rows never wait for each other.

Text is Edm.String (64 KiB of UTF-16), whole numbers are Edm.Int64, an entity holds 1 MiB and 252 of our fields
("Understanding the Table service data model").
"""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from core.errors import HandlingError
from core.ports import Fields, Row, RowPage
from providers.azure.errors import code_of, status_of, translate, was_resent
from providers.azure.rest import CALL_ERRORS, Storage

_WRITTEN_BY = "row_written_by"
_OWN = {"PartitionKey", "RowKey", "Timestamp", _WRITTEN_BY}
_ETAG = re.compile(r"W/\"[!-~]{1,200}\"")
_JSON = {"Content-Type": "application/json"}
_GET = {"Accept": "application/json;odata=minimalmetadata"}
_LIST = {"Accept": "application/json;odata=fullmetadata"}  # the only form that surely has the eTags
_ROW_KEY = "row"
_CONTINUATION = {
    "NextPartitionKey": "x-ms-continuation-nextpartitionkey",
    "NextRowKey": "x-ms-continuation-nextrowkey",
}


class TableLedger:
    """One table. A row's version is its eTag; a token in it lets a write that was sent twice know itself."""

    def __init__(self, *, table: str, client: Storage) -> None:
        self._table = table
        self._client = client

    def get(self, row_id: str) -> Row | None:
        found = self._get(row_id)
        return found[0] if found else None

    # Our write, its answer lost, and its second sending:
    #
    #     eTag 1 ── ours lands ──> eTag 2 ── ours again, expecting 1: refused ──> the row at 2 has our token,
    #               answer lost                                                   so it is no lost race
    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        if expect is not None and not _ETAG.fullmatch(expect):
            return None  # no row ever had this version, and `*` would match every one
        token = uuid.uuid4().hex
        body = json.dumps(_to_entity(row_id, fields, token)).encode()
        try:
            if expect is None:
                headers = _JSON | _GET | {"Prefer": "return-no-content"}
                answer = self._client.call("POST", f"/{self._table}", headers=headers, body=body)
            else:
                answer = self._client.call(
                    "PUT", self._path(row_id), headers=_JSON | _GET | {"If-Match": expect}, body=body
                )
        except CALL_ERRORS as error:
            if code_of(error) not in ("EntityAlreadyExists", "UpdateConditionNotSatisfied", "ResourceNotFound"):
                subject = self._subject(row_id)
                raise translate(error, operation="table write", subject=subject, is_write=True) from error
            return self._version_if_written_by(token, row_id) if was_resent(error) else None
        return answer.headers["etag"]

    def page(self, *, after: str = "", limit: int = 100) -> RowPage:
        """As the port says. A page may also end early, or be empty, where a partition server ends."""
        query = {"$top": str(limit), **(_cursor(after) if after else {})}
        try:
            answer = self._client.call("GET", f"/{self._table}()", query=query, headers=_LIST)
        except CALL_ERRORS as error:
            raise translate(error, operation="Query Entities", subject=f"table {self._table}") from error
        rows = [_from_entity(entity, version=entity["odata.etag"]) for entity in json.loads(answer.body)["value"]]
        return RowPage(rows=rows, after=_continuation(answer.headers))

    def _get(self, row_id: str) -> tuple[Row, str] | None:
        try:
            answer = self._client.call("GET", self._path(row_id), headers=_GET)
        except CALL_ERRORS as error:
            if status_of(error) == 404 and code_of(error) != "TableNotFound":
                return None
            raise translate(error, operation="Get Entity", subject=self._subject(row_id)) from error
        entity = json.loads(answer.body)
        return _from_entity(entity, version=answer.headers["etag"]), entity.get(_WRITTEN_BY, "")

    def _version_if_written_by(self, token: str, row_id: str) -> str | None:
        found = self._get(row_id)
        return found[0].version if found and found[1] == token else None

    def _path(self, row_id: str) -> str:
        key = quote(_to_key(row_id), safe="=")
        return f"/{self._table}(PartitionKey='{key}',RowKey='{_ROW_KEY}')"

    def _subject(self, row_id: str) -> str:
        return f"row {row_id} in table {self._table}"


def _to_key(row_id: str) -> str:
    """A row id without what keys must not have (/ \\ # ? and control characters); `=` stands for the usual `%`."""
    return quote(row_id, safe=" ").replace("%", "=")


def _to_entity(row_id: str, fields: Fields, token: str) -> dict[str, Any]:
    if _OWN & fields.keys():
        raise ValueError(f"row {row_id}: the table needs the names {', '.join(sorted(_OWN))} for itself")
    entity: dict[str, Any] = {"PartitionKey": _to_key(row_id), "RowKey": _ROW_KEY, _WRITTEN_BY: token}
    for name, value in fields.items():
        if isinstance(value, str):
            entity[name] = value
        else:
            entity |= {name: str(value), f"{name}@odata.type": "Edm.Int64"}
    return entity


def _from_entity(entity: Mapping[str, Any], *, version: str) -> Row:
    fields = {
        name: int(value) if entity.get(f"{name}@odata.type") == "Edm.Int64" else value
        for name, value in entity.items()
        if name not in _OWN and "odata." not in name
    }
    return Row(row_id=unquote(entity["PartitionKey"].replace("=", "%")), fields=fields, version=version)


def _cursor(after: str) -> dict[str, str]:
    """A continuation as `_continuation` writes it: whatever else came from a client would be part of the query."""
    try:
        found = dict(json.loads(after))
    except (ValueError, TypeError) as error:
        raise HandlingError("Azure Query Entities: the listing cannot go on after what it never gave") from error
    return {name: str(found[name]) for name in _CONTINUATION if name in found}


def _continuation(headers: Mapping[str, str]) -> str:
    found = {name: headers[header] for name, header in _CONTINUATION.items() if header in headers}
    return json.dumps(found) if found else ""
