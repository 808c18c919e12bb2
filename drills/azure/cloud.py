"""The deployment on a local Azure: storage emulated, events by a stand-in, `process` in Microsoft's runtime."""

import io
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, QueueServiceClient, TextBase64EncodePolicy

from drills.among_others import AmongOthers
from drills.azure.azurite import Azurite
from drills.azure.event_grid import EventGrid
from drills.azure.functions_host import FunctionsHost
from drills.supervisor import Runs
from providers.azure.account import Service, read_account
from providers.azure.object_store import BlobObjectStore
from providers.azure.package import write_root
from providers.azure.rest import Storage

BUCKET, TABLE, CONTROL_TABLE, WORK_QUEUE, PARKED_QUEUE = "uploads", "ledger", "control", "work", "parked"
_API_THREADS = 16  # beside those of `process`: else hung messages would leave none for the API
_CLIENT: Mapping[str, Any] = {"retry_total": 0, "connection_timeout": 2, "read_timeout": 30}


class LocalAzure(Runs):
    """Everything between an upload to the container and its row in the table. Between `start` and `stop` it works.

    Attributes:
        host: Runs `process`; stop it to hold messages back.
        environment: What `process` sees; also lets other programs, such as the operator's command, reach it.
    """

    def __init__(
        self,
        *,
        folder: Path,
        task_root: Path,
        timeout_s: int = 60,
        batch_count: int = 4,
        lock_s: int = 600,
        settings: Mapping[str, str] | None = None,
        among: AmongOthers | None = None,
    ) -> None:
        """Describe a local Azure.

        Args:
            folder: Holds the data and all logs; new, empty, or of an earlier run.
            task_root: Holds the function's code.
            among: Through whose doors its functions and its host go, if it is one of several clouds.
        """
        self.bucket = BUCKET
        self.azurite = Azurite(folder)
        self._folder, self._task_root = folder, task_root
        self._app_folder = folder / "app"
        self._timeout_s, self._batch_count, self._lock_s = timeout_s, batch_count, lock_s
        self._settings = dict(settings or {})
        self._doors = among.doors if among else None
        if among is not None:
            threads = {"PYTHON_THREADPOOL_THREAD_COUNT": str(batch_count + _API_THREADS)}
            self._settings = {**self._settings, **threads, **among.environment}

    def start(self) -> None:
        """Start everything, create the resources, and start to work off the queue."""
        self.azurite.start()
        try:
            self._connect()
            self.event_grid.start()
            self._create_resources()
            self.start_compute()
        except BaseException:
            self.azurite.stop()
            raise

    def stop(self) -> None:
        """Finish what runs, and stop everything that was started."""
        try:
            self.stop_compute()
            self.event_grid.stop()
        finally:
            for client in (self.blobs, self.queues, self.tables, self._work, self._parked):
                client.close()
            self.azurite.stop()

    def start_compute(self) -> None:
        """Let the functions run: read the queue, and serve the API."""
        self.host.start()
        if self._doors is not None and self.host.http is not None:
            self._doors.api.upstream_port = self.host.http.port

    def stop_compute(self) -> None:
        """Let the running calls end, and run no function until `start_compute`."""
        self.host.stop()

    def redeploy(self, environment: Mapping[str, str]) -> None:
        """Start the app again with this environment: one app holds `process` and the API, which is away meanwhile."""
        self.environment = dict(environment)
        self.stop_compute()
        self.host = self._describe_host()
        self.start_compute()

    @property
    def endpoints(self) -> dict[str, str]:
        """Where what answers; puts go through Event Grid's stand-in, or nobody hears of them."""
        service_urls = {f"{service} storage": self.azurite.url(service) for service in (Service.QUEUE, Service.TABLE)}
        blobs = {"blob storage, with events": self.azurite.url(Service.BLOB, port=self.event_grid.port)}
        return {**({"HTTP API": self._doors.api.url} if self._doors else {}), **blobs, **service_urls}

    def restart(self) -> None:
        """Take all storage services away for a moment; data and addresses stay, warm functions stay."""
        self.azurite.stop()
        self.azurite.start()

    def send(self, body: str) -> None:
        """Put a message into the work queue, in base64, as Event Grid does.

        Raises:
            OSError: It was not accepted.
        """
        try:
            self._work.send_message(body)
        except AzureError as error:
            raise OSError(str(error)) from error

    def send_plain(self, body: str) -> None:
        """Put a message into the work queue as plain text."""
        with self.queues.get_queue_client(WORK_QUEUE) as queue:
            queue.send_message(body)

    @property
    def work_count(self) -> int:
        """Messages that wait or are being worked on."""
        return int(self._work.get_queue_properties().approximate_message_count or 0)

    @property
    def parked_count(self) -> int:
        return int(self._parked.get_queue_properties().approximate_message_count or 0)

    def scan(self) -> list[dict[str, Any]]:
        """Read the whole table, with Microsoft's client."""
        with self.tables.get_table_client(TABLE) as table:
            entities = list(table.list_entities())
        return [{name: getattr(value, "value", value) for name, value in entity.items()} for entity in entities]

    def put(self, key: str, body: bytes, *, metadata: dict[str, str] | None = None) -> int:
        """Upload with Microsoft's client, in parts if it is large; returns when that began, in epoch ms."""
        at_ms = time.time_ns() // 1_000_000
        if ".." in key.split("/"):  # Microsoft's client sends such a name as a path, which the way there shortens
            account = read_account(self.environment, setting="SLUICE_STORAGE")
            client = Storage(account, Service.BLOB)
            BlobObjectStore(bucket=BUCKET, client=client).put(key, io.BytesIO(body), size_bytes=len(body))
            client.close()
            return at_ms
        with self.blobs.get_blob_client(BUCKET, key) as blob:
            blob.upload_blob(body, overwrite=True, metadata=metadata, max_concurrency=1)
        return at_ms

    def _connect(self) -> None:
        direct = self.azurite.connection_string()
        self._work = QueueClient.from_connection_string(
            direct, WORK_QUEUE, message_encode_policy=TextBase64EncodePolicy(), **_CLIENT
        )
        self._parked = QueueClient.from_connection_string(direct, PARKED_QUEUE, **_CLIENT)
        self.queues = QueueServiceClient.from_connection_string(direct, **_CLIENT)
        self.tables = TableServiceClient.from_connection_string(direct, **_CLIENT)
        blob_port = self.azurite.ports[Service.BLOB]
        self.event_grid = EventGrid(blob_port=blob_port, deliver=self.send)
        published = self.azurite.connection_string({Service.BLOB: self.event_grid.port})
        self.blobs = BlobServiceClient.from_connection_string(
            published, max_single_put_size=8 << 20, max_block_size=8 << 20, **_CLIENT
        )
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(self._folder),
            "SLUICE_CLOUD": "azure",
            "SLUICE_BUCKET": BUCKET,
            "SLUICE_LEDGER_TABLE": TABLE,
            "SLUICE_CONTROL_TABLE": CONTROL_TABLE,
            "SLUICE_WORK_QUEUE": WORK_QUEUE,
            "SLUICE_PARKED_QUEUE": PARKED_QUEUE,
            "SLUICE_STORAGE": self._through_doors() or published,
            "SLUICE_TIMEOUT_S": str(self._timeout_s),
            "PYTHON_THREADPOOL_THREAD_COUNT": str(self._batch_count),
            **self._settings,
        }

    def _through_doors(self) -> str:
        """The connection string as the functions and the host see it; "" where there are no doors."""
        if self._doors is None:
            return ""
        doors = {Service.BLOB: self._doors.store, Service.QUEUE: self._doors.queue, Service.TABLE: self._doors.ledger}
        behind = {**self.azurite.ports, Service.BLOB: self.event_grid.port}
        for service, door in doors.items():
            door.upstream_port = behind[service]
        return self.azurite.connection_string({service: door.port for service, door in doors.items()})

    def _create_resources(self) -> None:
        """Create what an earlier run in the same folder has not left."""
        with suppress(ResourceExistsError):
            self.blobs.create_container(BUCKET).close()
        for table in (TABLE, CONTROL_TABLE):
            with suppress(ResourceExistsError):
                self.tables.create_table(table).close()
        for queue in (self._work, self._parked):
            with suppress(ResourceExistsError):
                queue.create_queue()
        app = self._app_folder
        if app.exists():
            shutil.rmtree(app)  # links, which are not followed, and two small files
        app.mkdir()
        for name in ("core", "handlers", "providers"):
            (app / name).symlink_to(self._task_root / name)
        write_root(app, timeout_s=self._timeout_s, batch_count=self._batch_count)
        self.host = self._describe_host()

    def _describe_host(self) -> FunctionsHost:
        return FunctionsHost(
            self._app_folder, environment=self.environment, log_folder=self._folder, lock_s=self._lock_s
        )
