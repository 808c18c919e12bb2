"""Rows as items of a DynamoDB table with the hash key `upload_id` (text).

There is no TTL attribute, on purpose: TTL deletes days late and at any time ("Using time to live", Developer Guide),
and a claim that has run out is evidence of unfinished work, not garbage.
"""

import uuid
from typing import TYPE_CHECKING, Any

from core.ports import Fields, Row, RowPage
from providers.aws.errors import SDK_ERRORS, code_of, translate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = "upload_id"
_VERSION = "row_version"
_KEY_ONLY = "row_key_only"  # stands in a row whose fields have no upload_id, so that reading does not add one
_UPDATE = "row_version = :expect"
_CREATE = "attribute_not_exists(upload_id)"


class DynamoLedger:
    """One table. Each write gives its row a fresh random version, by which conditions and resent writes know it."""

    def __init__(self, *, table: str, client: "DynamoDBClient") -> None:
        self._table = table
        self._client = client

    def get(self, row_id: str) -> Row | None:
        try:
            found = self._client.get_item(TableName=self._table, Key={_KEY: {"S": row_id}}, ConsistentRead=True)
        except SDK_ERRORS as error:
            raise translate(error, operation="DynamoDB GetItem", subject=self._subject(row_id)) from error
        return _from_item(found["Item"]) if "Item" in found else None

    # Our write, its answer lost, and the SDK's second sending of it:
    #
    #     version 1 ── ours lands ──> version 2 ── ours again, expecting 1: refused ──> the row is at 2, which is ours
    #                  answer lost                                                      so it is no lost race
    def put(self, row_id: str, fields: Fields, *, expect: str | None) -> str | None:
        version = uuid.uuid4().hex
        condition: dict[str, Any] = {"ConditionExpression": _CREATE}
        if expect is not None:
            condition = {"ConditionExpression": _UPDATE, "ExpressionAttributeValues": {":expect": {"S": expect}}}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=_to_item(row_id, fields, version),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **condition,
            )
        except SDK_ERRORS as error:
            if code_of(error) == "ConditionalCheckFailedException":
                return version if _refused_by(error) == version else None
            raise translate(
                error, operation="DynamoDB PutItem", subject=self._subject(row_id), is_write=True
            ) from error
        return version

    def page(self, *, after: str = "", limit: int = 100) -> RowPage:
        """As the port says. A page also ends after 1 MB ("Scan", API Reference)."""
        start: dict[str, Any] = {"ExclusiveStartKey": {_KEY: {"S": after}}} if after else {}
        try:
            found = self._client.scan(TableName=self._table, ConsistentRead=True, Limit=limit, **start)
        except SDK_ERRORS as error:
            raise translate(error, operation="DynamoDB Scan", subject=f"table {self._table}") from error
        last: dict[str, Any] = dict(found.get("LastEvaluatedKey", {}))
        return RowPage(rows=[_from_item(item) for item in found["Items"]], after=last[_KEY]["S"] if last else "")

    def _subject(self, row_id: str) -> str:
        return f"row {row_id} in table {self._table}"


def _to_item(row_id: str, fields: Fields, version: str) -> dict[str, Any]:
    if fields.get(_KEY, row_id) != row_id or {_VERSION, _KEY_ONLY} & fields.keys():
        raise ValueError(f"row {row_id}: the table needs the names {_VERSION} and {_KEY_ONLY} and the row's {_KEY}")
    item: dict[str, Any] = {
        name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in fields.items()
    }
    if _KEY not in fields:
        item[_KEY_ONLY] = {"N": "1"}
    return item | {_KEY: {"S": row_id}, _VERSION: {"S": version}}


def _from_item(item: Any) -> Row:
    hidden = {_VERSION, _KEY, _KEY_ONLY} if _KEY_ONLY in item else {_VERSION}
    fields = {
        name: value["S"] if "S" in value else int(value["N"]) for name, value in item.items() if name not in hidden
    }
    return Row(row_id=item[_KEY]["S"], fields=fields, version=item[_VERSION]["S"])


def _refused_by(error: Any) -> str:
    """The version of the row that stood in the way; "" if there was none."""
    version: str = error.response.get("Item", {}).get(_VERSION, {}).get("S", "")
    return version
