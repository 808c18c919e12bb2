"""Local servers that speak as Google Cloud does, and adapters on fresh buckets, collections and topics of them."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from providers.gcp.clients import emulated
from providers.gcp.ledger import FirestoreLedger
from providers.gcp.object_store import GcsObjectStore
from providers.gcp.work_queue import PubSubWorkQueue

PROJECT = "local"


class TestSigner:
    """A service account with a key of its own."""

    __test__ = False

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def account(self) -> str:
        return "signer@local.iam.gserviceaccount.com"

    def sign(self, content: bytes) -> bytes:
        return self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpServer:
    """Where the servers are, as "host:port" or URL, and what they make."""

    storage: str
    firestore: str
    pubsub: str
    signer: TestSigner

    def new_store(self, *, versioned: bool) -> GcsObjectStore:
        api, bucket = emulated(self.storage), f"bucket-{uuid.uuid4().hex[:12]}"
        settings: dict[str, Any] = {"name": bucket, "versioning": {"enabled": versioned}}
        api.call("POST", "/storage/v1/b", query={"project": PROJECT}, body=settings)
        return GcsObjectStore(bucket=bucket, api=api, signer=self.signer, clock_ms=clock_ms)

    def new_ledger(self) -> FirestoreLedger:
        return FirestoreLedger(
            database=f"projects/{PROJECT}/databases/(default)",
            collection=f"uploads-{uuid.uuid4().hex[:12]}",
            api=emulated(self.firestore),
        )

    def new_queue(self) -> PubSubWorkQueue:
        api, name = emulated(self.pubsub), f"queue-{uuid.uuid4().hex[:12]}"
        dead = f"projects/{PROJECT}/topics/{name}-dead"
        for topic in (f"projects/{PROJECT}/topics/{name}", dead):
            api.call("PUT", f"/v1/{topic}", body={})
        settings = {
            "topic": f"projects/{PROJECT}/topics/{name}",
            "ackDeadlineSeconds": 60,
            "deadLetterPolicy": {"deadLetterTopic": dead, "maxDeliveryAttempts": 100},  # without it nothing is counted
        }
        api.call("PUT", f"/v1/projects/{PROJECT}/subscriptions/{name}", body=settings)
        return PubSubWorkQueue(project=PROJECT, topic=name, subscription=name, api=api, monitoring=api)


def clock_ms() -> int:
    return time.time_ns() // 1_000_000
