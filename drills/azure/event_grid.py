"""A stand-in for Event Grid: a proxy in front of Azurite's blobs that tells a storage queue what was put or deleted.

Source: "Azure Blob Storage as Event Grid source", "Event Grid message delivery and retry", "Storage queue as event
handler". As the real one it is asynchronous, sends an event again until it is accepted, keeps what it gave up, and may
send twice (`copy_count`). Its waits are shorter; it has no filters and no webhooks, so there is no handshake.
"""

import http.client
import itertools
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from drills.supervisor import LOOPBACK

RETRY_DELAYS_S = (0.5, 1, 2, 4, 8)  # the real one: 10 s, 30 s, 1 min, 5 min, …
_TOPIC = "/subscriptions/local/resourceGroups/local/providers/Microsoft.Storage/storageAccounts/"
_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class EventGrid:
    """Publishes what goes through `port`.

    Attributes:
        copy_count: How often each event is delivered.
        dead_letters: Events that were given up, with reason and number of tries, as the real one writes them.
    """

    def __init__(self, *, blob_port: int, deliver: Callable[[str], None]) -> None:
        """`deliver` puts one event, as JSON, into its queue, and raises OSError if it cannot now."""
        self.copy_count = 1
        self.dead_letters: list[dict[str, Any]] = []
        self.deliver = deliver
        # Grows over restarts as well: a key's later event must never look older than its earlier one.
        self._sequence = itertools.count(time.time_ns() // 1000)
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._server = _Server(blob_port, self.publish)
        self.port: int = self._server.server_port
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True),
            threading.Thread(target=self._send, daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Deliver what was published, then stop."""
        self._server.shutdown()
        self._server.server_close()
        self._events.put(None)
        self._threads[1].join(sum(RETRY_DELAYS_S) + 10)

    def publish(self, kind: str, api: str, path: str, size_bytes: int, headers: http.client.HTTPMessage) -> None:
        """Queue the event of a request that was done. `path` is as it was sent: /account/container/blob."""
        account, container, blob = path.lstrip("/").split("/", 2)
        key = unquote(blob)
        event = {
            "topic": _TOPIC + account,
            "subject": f"/blobServices/default/containers/{container}/blobs/{key}",
            "eventType": f"Microsoft.Storage.{kind}",
            "id": str(uuid.uuid4()),
            "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "data": {
                "api": api,
                "requestId": headers.get("x-ms-request-id", ""),
                "eTag": headers.get("ETag", "").strip('"'),
                "contentType": "application/octet-stream",
                "contentLength": size_bytes,
                "blobType": "BlockBlob",
                "url": f"https://{account}.blob.core.windows.net/{container}/{blob}",
                "sequencer": f"{next(self._sequence):048X}",
            },
            "dataVersion": "",
            "metadataVersion": "1",
        }
        for _ in range(self.copy_count):
            self._events.put(event)

    def _send(self) -> None:
        while (event := self._events.get()) is not None:
            for delay_s in (*RETRY_DELAYS_S, None):
                try:
                    self.deliver(json.dumps(event))
                    break
                except OSError:
                    if delay_s is None:
                        tries = {"deadLetterReason": "MaxDeliveryAttemptsExceeded", "deliveryAttempts": 6}
                        self.dead_letters.append(event | tries)
                        break
                    time.sleep(delay_s)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, blob_port: int, publish: Callable[..., None]) -> None:
        self.blob_port = blob_port
        self.publish = publish
        self.block_bytes: dict[str, int] = {}  # of the blocks of a blob that is put in parts
        super().__init__((LOOPBACK, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        upstream = http.client.HTTPConnection(LOOPBACK, self.server.blob_port, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_HEADERS:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            answer = upstream.getresponse()
            content = answer.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            upstream.close()
        self._tell(answer, len(body))
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_HEADERS:
                self.send_header(name, value)
        length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def _tell(self, answer: http.client.HTTPResponse, size_bytes: int) -> None:
        parts = urlsplit(self.path)
        query: dict[str, Sequence[str]] = dict(parse_qs(parts.query))
        comp = query.get("comp", [""])[0]
        if "restype" in query or parts.path.count("/") < 3:
            return
        match self.command, answer.status, comp:
            case "PUT", 201, "block":
                self.server.block_bytes[parts.path] = self.server.block_bytes.get(parts.path, 0) + size_bytes
            case "PUT", 201, "blocklist":
                size_bytes = self.server.block_bytes.pop(parts.path, 0)
                self.server.publish("BlobCreated", "PutBlockList", parts.path, size_bytes, answer.headers)
            case "PUT", 201, "":
                self.server.publish("BlobCreated", "PutBlob", parts.path, size_bytes, answer.headers)
            case "DELETE", 202, "":
                self.server.publish("BlobDeleted", "DeleteBlob", parts.path, 0, answer.headers)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_OPTIONS = _forward
