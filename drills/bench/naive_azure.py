"""The function of the tutorials for Azure: a blob into memory, an entity into a table. For comparison, not for use.

It keeps their habits: official clients made at import, the whole blob at once. The benchmark copies this file to
`function_app.py`, where Azure looks for it.
"""

import hashlib
import json
import os

import azure.functions as func
from azure.data.tables import TableClient
from azure.storage.blob import BlobServiceClient

app = func.FunctionApp()
blobs = BlobServiceClient.from_connection_string(os.environ["SLUICE_STORAGE"])
table = TableClient.from_connection_string(os.environ["SLUICE_STORAGE"], os.environ["SLUICE_LEDGER_TABLE"])


@app.function_name("process")
@app.queue_trigger(arg_name="message", queue_name="%SLUICE_WORK_QUEUE%", connection="SLUICE_STORAGE")
def process(message: func.QueueMessage) -> None:
    """Download the blob of an event and create an entity."""
    event = json.loads(message.get_body())
    key = event["subject"].partition("/blobs/")[2]
    content = blobs.get_blob_client(os.environ["SLUICE_BUCKET"], key).download_blob().readall()
    row = {"PartitionKey": "naive", "RowKey": key.replace("/", "-"), "size": len(content)}
    table.create_entity(row | {"sha256": hashlib.sha256(content).hexdigest()})
