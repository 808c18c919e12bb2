"""Reads each cloud's route and vote past all faults, with the vendors' clients: what is held, whoever can be asked.

The rows are documented in core/route.py and core/votes.py; their JSON is read here without that code.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from azure.core.exceptions import AzureError, ResourceNotFoundError
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError
from google.api_core.exceptions import GoogleAPIError
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from drills.aws.cloud import LocalAws
from drills.azure.cloud import CONTROL_TABLE, LocalAzure
from drills.gcp.cloud import PROJECT, LocalGcp
from drills.running_clouds import Local

READ_ERRORS = (AzureError, BotoCoreError, ClientError, GoogleAPIError, OSError)

Fields = Mapping[str, Any]
ReadRow = Callable[[str], Fields]  # the row's fields by its id; empty if there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRoute:
    """A cloud's own copy of the route."""

    active: str
    epoch: int
    is_pinned: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCloud:
    """What a voter says of one cloud."""

    failed: tuple[str, ...]
    fail_count: int
    client_failure_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CastVote:
    """A cloud's vote: what it saw at its last look."""

    at_ms: int
    seen: Mapping[str, SeenCloud]


def row_reader(local: Local) -> ReadRow:
    """How this cloud's control table is read. What it raises is in READ_ERRORS."""
    match local:
        case LocalAws():
            return lambda row_id: _from_dynamodb(local, row_id)
        case LocalGcp():
            channel = grpc.insecure_channel(local.firestore.grpc_address)
            client = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
            return lambda row_id: _from_firestore(client, row_id)
        case LocalAzure():
            return lambda row_id: _from_table(local, row_id)


def read_route(read: ReadRow) -> HeldRoute | None:
    """None: this cloud was never told a route."""
    fields = read("route")
    if not fields:
        return None
    return HeldRoute(
        active=str(fields["active"]),
        epoch=int(fields.get("epoch", 0)),
        is_pinned=bool(int(fields.get("pinned", 0))),
        reason=str(fields.get("reason", "")),
    )


def read_vote(read: ReadRow) -> CastVote | None:
    """None: this cloud has not voted yet."""
    fields = read("vote")
    if not fields:
        return None
    seen = {
        cloud: SeenCloud(
            failed=tuple(each["failed"]),
            fail_count=int(each["fail_count"]),
            client_failure_count=int(each["client_failure_count"]),
        )
        for cloud, each in json.loads(fields["seen"]).items()
    }
    return CastVote(at_ms=int(fields["at_ms"]), seen=seen)


def _from_dynamodb(aws: LocalAws, row_id: str) -> Fields:
    table = aws.environment["SLUICE_CONTROL_TABLE"]
    found = aws.dynamodb.get_item(TableName=table, Key={"upload_id": {"S": row_id}}, ConsistentRead=True)
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in found.get("Item", {}).items()}


def _from_firestore(client: FirestoreClient, row_id: str) -> Fields:
    database = f"projects/{PROJECT}/databases/(default)"
    request = {"database": database, "documents": [f"{database}/documents/control/{row_id}"]}
    for answer in client.batch_get_documents(request=request, timeout=5, retry=None):
        if answer.found.name:
            return {
                key: value.string_value if "string_value" in value else value.integer_value
                for key, value in answer.found.fields.items()
            }
    return {}


def _from_table(azure: LocalAzure, row_id: str) -> Fields:
    with azure.tables.get_table_client(CONTROL_TABLE) as table:
        try:
            entity = table.get_entity(row_id, "row")
        except ResourceNotFoundError:
            return {}
    return {name: getattr(value, "value", value) for name, value in entity.items()}
