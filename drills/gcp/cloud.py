"""Sluice on a local Google Cloud: bucket, topics and ledger on stand-ins, `process` in the functions framework.

fake-gcs-server ──notification──> work topic ──push──> functions framework, handlers/gcp.py ──> Firestore's stand-in
                                      └ after 100 deliveries ──> parked topic <── parked by our own code
"""

import base64
import os
import shutil
import sys
import urllib.error
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drills.gcp.google import call
from drills.gcp.kept_objects import KeptObjects
from drills.gcp.pubsub_messages import PubSubMessages
from drills.gcp.stand_ins import START_TIMEOUT_S, FakeGcs, StandIn, listens
from drills.supervisor import LOOPBACK, SupervisedProcess, pick_free_port
from drills.waiting import wait_until

PROJECT = "local-project"
BUCKET = "sluice-uploads"
COLLECTION = "uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """What the deployment would say of the function and of the subscription that pushes to it.

    Attributes:
        timeout_s: Of the function, told to it as SLUICE_TIMEOUT_S.
        ack_deadline_s: How long a push may take before it counts as failed (10 to 600).
        shortest_backoff_s: Until the second delivery; it doubles up to `longest_backoff_s`. Google: 10 and 600.
        max_delivery_attempts: Before Pub/Sub itself parks a message (5 to 100).
        thread_count: Requests that the one worker process serves at once.
        environment: In addition to what the function needs.
    """

    timeout_s: int = 60
    ack_deadline_s: int = 70
    shortest_backoff_s: float = 10
    longest_backoff_s: float = 600
    max_delivery_attempts: int = 100
    thread_count: int = 8
    environment: Mapping[str, str] = field(default_factory=dict)


class LocalGcp:
    """Everything between an upload to the bucket and its document. Between `start` and `stop` it works.

    Attributes:
        environment: What `process` sees; also lets the operator's commands reach it.
        function: The functions framework; kill it, pause it, start it again.
    """

    def __init__(
        self, settings: FunctionSettings, *, folder: Path, task_root: Path, keeps_objects: bool = False
    ) -> None:
        """Describe a local Google Cloud.

        Args:
            folder: Holds the servers' data and all logs; new, empty, or of an earlier run.
            task_root: Holds the function's code, as it would be unpacked in the container.
            keeps_objects: Write the bucket's objects to the folder at `stop`, and take them back at `start`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.bucket = BUCKET
        self.pubsub = StandIn("pubsub", folder)
        self.firestore = StandIn("firestore", folder)
        self.storage = FakeGcs(folder, pubsub_address=self.pubsub.grpc_address, project=PROJECT, topic="work")
        self._kept = KeptObjects(folder / "objects", address=f"{LOOPBACK}:{self.storage.port}", bucket=BUCKET)
        self._keeps_objects = keeps_objects
        self._folder = folder
        self._settings = settings
        self._function_port = pick_free_port()
        self._running = ExitStack()
        self.environment = {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "STORAGE_EMULATOR_HOST": self.storage.url,
            "PUBSUB_EMULATOR_HOST": self.pubsub.http_address,
            "FIRESTORE_EMULATOR_HOST": self.firestore.http_address,
            "SLUICE_CLOUD": "gcp",
            "SLUICE_BUCKET": BUCKET,
            "SLUICE_LEDGER_COLLECTION": COLLECTION,
            "SLUICE_WORK_TOPIC": "work",
            "SLUICE_WORK_SUBSCRIPTION": "work",
            "SLUICE_PARKED_TOPIC": "parked",
            "SLUICE_PARKED_SUBSCRIPTION": "parked",
            "SLUICE_TIMEOUT_S": str(settings.timeout_s),
            # No library may look for a real account or ask a metadata server.
            "NO_GCE_CHECK": "true",
            "GCE_METADATA_HOST": f"{LOOPBACK}:9",
            "CLOUDSDK_CONFIG": str(folder / "no-gcloud"),
            **settings.environment,
        }
        self.function = SupervisedProcess(
            _framework_command(self._function_port, task_root),
            name="functions-framework",
            environment={**_framework_environment(settings, task_root), **self.environment},
            folder=task_root,
            log_path=folder / "function.log",
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the servers, create the resources that an earlier run has not left, start the function."""
        with ExitStack() as starting:
            starting.enter_context(self.firestore)
            # The bucket's server connects to Pub/Sub when it starts, and waits long before it tries again.
            if self._keeps_objects and not self._kept.is_empty:
                self._start_storage_with_objects(starting)
                starting.enter_context(self.pubsub)
            else:
                starting.enter_context(self.pubsub)
                starting.enter_context(self.storage)
                self._create_bucket()
            self._create_topics()
            starting.callback(self.function.stop)
            self.start_function()
            self.let_go()
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop what was started, the function first."""
        try:
            if self._keeps_objects:
                self.hold_back()  # the function's next address will be another one
                self.function.stop()
                self._kept.save()
        finally:
            self._running.close()

    @property
    def endpoints(self) -> dict[str, str]:
        """Where what answers."""
        return {
            "Cloud Storage": self.storage.url,
            "Pub/Sub, gRPC": self.pubsub.grpc_address,
            "Pub/Sub, JSON": self.pubsub.http_address,
            "Firestore, gRPC": self.firestore.grpc_address,
            "Firestore, JSON": self.firestore.http_address,
        }

    def start_function(self) -> None:
        """Start the function, or start it again."""
        self.function.start()
        self.function.wait_ready(lambda: listens(self._function_port), timeout_s=START_TIMEOUT_S)

    def hold_back(self) -> None:
        """Keep messages in the work queue: the subscription stops pushing."""
        self._set_push({})

    def let_go(self) -> None:
        """Undo `hold_back`."""
        self._set_push(self._push_config)

    def message_count(self, subscription: str) -> int:
        """Messages of a subscription ("work", "parked") that wait or are being worked on."""
        metric = "pubsub.googleapis.com/subscription/num_undelivered_messages"
        wanted = f'metric.type = "{metric}" AND resource.labels.subscription_id = "{subscription}"'
        found = call("GET", self.pubsub.http_address, f"/v3/projects/{PROJECT}/timeSeries", query={"filter": wanted})
        return int(found["timeSeries"][0]["points"][0]["value"]["int64Value"])

    def send(self, body: str, *, attributes: Mapping[str, str] | None = None) -> None:
        """Publish to the work topic, as somebody else would."""
        message = {"data": base64.b64encode(body.encode()).decode(), "attributes": dict(attributes or {})}
        path = f"/v1/projects/{PROJECT}/topics/work:publish"
        call("POST", self.pubsub.http_address, path, body={"messages": [message]})

    @property
    def _push_config(self) -> dict[str, str]:
        return {"pushEndpoint": f"http://{LOOPBACK}:{self._function_port}/projects/{PROJECT}/topics/work"}

    def _set_push(self, config: Mapping[str, str]) -> None:
        path = f"/v1/projects/{PROJECT}/subscriptions/work:modifyPushConfig"
        call("POST", self.pubsub.http_address, path, body={"pushConfig": dict(config)})

    def _start_storage_with_objects(self, starting: ExitStack) -> None:
        """Fill the bucket again without telling anybody, and tell the messages that wait the new generations.

        The events of it go to an empty Pub/Sub at the address of the real one, which is not up yet.
        """
        silent = self._folder / "pubsub-while-restoring"
        shutil.rmtree(silent, ignore_errors=True)
        with StandIn("pubsub", silent, ports=(self.pubsub.grpc_port, self.pubsub.http_port)):
            self._create_topics()
            starting.enter_context(self.storage)
            self._create_bucket()
            restored = self._kept.restore()
            wait_until(
                lambda: self.message_count("work") >= restored.event_count,
                timeout_s=START_TIMEOUT_S,
                what="all events of the objects that came back",
            )
        shutil.rmtree(silent)
        messages = PubSubMessages(self.pubsub.path)
        messages.rename(restored.generations)
        messages.close()
        self._kept.renumber(restored.generations)

    def _create_topics(self) -> None:
        settings, project = self._settings, f"projects/{PROJECT}"
        for name in ("work", "parked"):
            self._create(f"/v1/{project}/topics/{name}", {})
        work: dict[str, Any] = {
            "topic": f"{project}/topics/work",
            "ackDeadlineSeconds": settings.ack_deadline_s,
            "retryPolicy": {
                "minimumBackoff": f"{settings.shortest_backoff_s}s",
                "maximumBackoff": f"{settings.longest_backoff_s}s",
            },
            "deadLetterPolicy": {
                "deadLetterTopic": f"{project}/topics/parked",
                "maxDeliveryAttempts": settings.max_delivery_attempts,
            },
        }
        parked = {"topic": f"{project}/topics/parked", "ackDeadlineSeconds": 60}
        self._create(f"/v1/{project}/subscriptions/work", work)
        self._create(f"/v1/{project}/subscriptions/parked", parked)

    def _create(self, path: str, body: Mapping[str, Any]) -> None:
        """Create a resource of Pub/Sub, or leave it as an earlier run has made it."""
        try:
            call("PUT", self.pubsub.http_address, path, body=dict(body))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != HTTPStatus.CONFLICT:
                raise

    def _create_bucket(self) -> None:
        bucket = {"name": BUCKET, "versioning": {"enabled": True}}
        call("POST", self.storage.url, "/storage/v1/b", query={"project": PROJECT}, body=bucket)


def _framework_command(port: int, task_root: Path) -> list[str]:
    where = ["--host", LOOPBACK, "--port", str(port)]
    what = ["--target", "process", "--signature-type", "cloudevent", "--source", str(task_root / "handlers" / "gcp.py")]
    return [sys.executable, "-m", "functions_framework", *where, *what]


def _framework_environment(settings: FunctionSettings, task_root: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(task_root),
        "FUNCTION_TARGET": "process",
        "WORKERS": "1",
        "THREADS": str(settings.thread_count),
    }
