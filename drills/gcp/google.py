"""How a drill looks at a local Google Cloud: without the product's code, with Google's own clients where it matters."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode


def call(method: str, address: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
    """One call of a JSON API on loopback; `address` is "host:port" or a URL."""
    base = address if "://" in address else f"http://{address}"
    request = urllib.request.Request(  # noqa: S310 (loopback)
        f"{base}{path}" + (f"?{urlencode(query)}" if query else ""),
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read() or b"{}")


def storage_client(url: str, *, project: str) -> Any:
    """Google's client of Cloud Storage."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return Client(project=project, credentials=credentials, client_options={"api_endpoint": url})


def read_collection(grpc_address: str, *, project: str, collection: str) -> list[dict[str, Any]]:
    """All documents' fields, read with Google's generated gRPC client of Firestore."""
    import grpc
    from google.cloud.firestore_v1.services.firestore import FirestoreClient
    from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

    query = {"from_": [{"collection_id": collection}]}
    request = {"parent": f"projects/{project}/databases/(default)/documents", "structured_query": query}
    with grpc.insecure_channel(grpc_address) as channel:
        client = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
        answers = client.run_query(request=request, timeout=10)
        documents = [answer.document for answer in answers if answer.document.name]
    return [{name: _plain(value) for name, value in document.fields.items()} for document in documents]


def _plain(value: Any) -> Any:
    return value.string_value if "string_value" in value else value.integer_value
