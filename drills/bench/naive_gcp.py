"""The function of Google's tutorials: an object into memory, a document into Firestore. For comparison, not for use.

It keeps their habits: official clients made at import, the whole object at once, `set` without a condition. The
benchmark copies this file to `main.py`, where Google looks for it.
"""

import hashlib
import os
from typing import Any

import functions_framework
from google.cloud import firestore, storage

bucket_client = storage.Client()
database = firestore.Client()


@functions_framework.cloud_event
def process(cloud_event: Any) -> None:
    """Download the object of a notification and set a document."""
    attributes = cloud_event.data["message"]["attributes"]
    bucket, key = attributes["bucketId"], attributes["objectId"]
    content = bucket_client.bucket(bucket).blob(key).download_as_bytes()
    document = database.collection(os.environ["SLUICE_LEDGER_COLLECTION"]).document(key.replace("/", "-"))
    document.set({"bucket": bucket, "key": key, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()})
