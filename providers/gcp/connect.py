"""Google Cloud as the core sees it."""

from collections.abc import Callable

from core.ports import Cloud
from providers.gcp import clients
from providers.gcp.ledger import FirestoreLedger
from providers.gcp.object_store import GcsObjectStore
from providers.gcp.work_queue import PubSubWorkQueue


def connect(
    *,
    project: str,
    bucket: str,
    database: str,
    collection: str,
    control_collection: str,
    work_topic: str,
    work_subscription: str,
    parked_topic: str,
    parked_subscription: str,
    clock_ms: Callable[[], int],
) -> Cloud:
    """The named bucket, collection, topics and subscriptions. Nothing is asked of them yet, and nothing imported."""
    documents = f"projects/{project}/databases/{database}"
    pubsub, monitoring = clients.pubsub(), clients.monitoring()
    return Cloud(
        store=GcsObjectStore(bucket=bucket, api=clients.storage(), signer=clients.signer(), clock_ms=clock_ms),
        ledger=FirestoreLedger(database=documents, collection=collection, api=clients.firestore()),
        work=PubSubWorkQueue(
            project=project, topic=work_topic, subscription=work_subscription, api=pubsub, monitoring=monitoring
        ),
        parked=PubSubWorkQueue(
            project=project, topic=parked_topic, subscription=parked_subscription, api=pubsub, monitoring=monitoring
        ),
        control=FirestoreLedger(database=documents, collection=control_collection, api=clients.firestore()),
    )
