"""What an upload costs on Azure, in requests: docs/deploy/azure.md multiplies these counts with prices."""

import os
import subprocess
import sys
from pathlib import Path

from drills.azure.azurite import Azurite
from tests.deploy.azure.surroundings import ROOT

# Puts a blob, and works its event off; then names each request that the standard library sent.
SCRIPT = """
import io, sys

from core.ports import Message
from handlers import azure
from providers.azure import clients
from providers.azure.events import messages_of, notification_event

json = {"Content-Type": "application/json", "Accept": "application/json;odata=nometadata"}
clients.blobs().call("PUT", "/uploads", query={"restype": "container"})
for table in ("ledger", "control"):
    body = ('{"TableName": "%s"}' % table).encode()
    clients.tables().call("POST", "/Tables", headers=json, body=body)
info = azure.connect().store.put("a.txt", io.BytesIO(b"hello"), size_bytes=5)
[message] = messages_of(notification_event(info, bucket="uploads"))
heads = []
sys.addaudithook(lambda name, told: heads.append(bytes(told[1])) if name == "http.client.send" else None)
azure.process_message(Message(message_id="m", body=message.body, receipt="", receive_count=1))
for head in heads:
    if b" HTTP/1.1" in head:
        method, path, *_ = head.decode().split()
        print(method, path.split("/")[2].partition("(")[0])
"""


def test_requests_of_one_upload(tmp_path: Path) -> None:
    """One GET and two conditional writes, nothing else."""
    with Azurite(tmp_path) as azurite:
        environment = {
            "PATH": os.defpath,
            "SLUICE_CLOUD": "azure",
            "SLUICE_STORAGE": azurite.connection_string(),
            "SLUICE_BUCKET": "uploads",
            "SLUICE_LEDGER_TABLE": "ledger",
            "SLUICE_CONTROL_TABLE": "control",
        }

        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["POST ledger", "GET uploads", "PUT ledger"]
