"""Sluice on a local Google Cloud: bucket, topics and ledger on stand-ins, `process` in the functions framework.

fake-gcs-server ──notification──> work topic ──push──> functions framework, handlers/gcp.py ──> Firestore's stand-in
                                      └ after 100 deliveries ──> parked topic <── parked by our own code
"""

import base64
import shutil
import urllib.error
from collections.abc import Mapping
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

from drills.among_others import AmongOthers, Doors
from drills.gcp.framework import FunctionSettings as FunctionSettings
from drills.gcp.framework import framework
from drills.gcp.google import call
from drills.gcp.kept_objects import KeptObjects
from drills.gcp.pubsub_messages import PubSubMessages
from drills.gcp.stand_ins import START_TIMEOUT_S, FakeGcs, StandIn, listens
from drills.gcp.token_server import TokenServer
from drills.supervisor import LOOPBACK, Runs, SupervisedProcess, pick_free_port
from drills.waiting import wait_until
from providers.gcp.package import root_files

PROJECT = "local-project"
BUCKET = "sluice-uploads"
COLLECTION = "uploads"
_API_THREADS = 16


class LocalGcp(Runs):
    """Everything between an upload to the bucket and its document. Between `start` and `stop` it works.

    Attributes:
        environment: What the functions see; also lets the operator's commands reach it.
        function: The functions framework that serves `process`; kill it, pause it, start it again.
        api: One that serves the HTTP API; None where the cloud is alone.
    """

    def __init__(
        self,
        settings: FunctionSettings,
        *,
        folder: Path,
        task_root: Path,
        keeps_objects: bool = False,
        among: AmongOthers | None = None,
    ) -> None:
        """Describe a local Google Cloud.

        Args:
            folder: Holds the servers' data and all logs; new, empty, or of an earlier run.
            task_root: Holds the function's code, as it would be unpacked in the container.
            keeps_objects: Write the bucket's objects to the folder at `stop`, and take them back at `start`.
            among: Through whose doors its functions and its pushes go, if it is one of several clouds.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.bucket = BUCKET
        self.pubsub = StandIn("pubsub", folder)
        self.firestore = StandIn("firestore", folder)
        self._doors = among.doors if among else None
        self.storage = FakeGcs(
            folder,
            pubsub_address=self.pubsub.grpc_address,
            project=PROJECT,
            topic="work",
            public_port=self._doors.store.port if self._doors else 0,
        )
        self._kept = KeptObjects(
            folder / "objects",
            address=f"{LOOPBACK}:{self.storage.port}",
            bucket=BUCKET,
            public_host=self.storage.public_host,
        )
        self._keeps_objects = keeps_objects
        self._folder, self._task_root = folder, task_root
        self._settings = settings
        self._function_port = pick_free_port()
        self._running = ExitStack()
        self._token_server = TokenServer(folder) if among else None
        self.environment = self._environment(among)
        self.function = self._describe_function()
        self.api: SupervisedProcess | None = None
        if self._doors is not None:
            self._connect_doors(self._doors)

    def start(self) -> None:
        """Start the servers, create the resources that an earlier run has not left, start the function."""
        with ExitStack() as starting:
            if self._token_server is not None:
                self._token_server.start()
                starting.callback(self._token_server.stop)
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
            starting.callback(self.stop_compute)
            self.start_compute()
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
            **({"HTTP API": self._doors.api.url} if self._doors else {}),
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

    def start_compute(self) -> None:
        """Let the functions run: take what is pushed, and serve the API."""
        self.start_function()
        if self.api is not None:
            self.api.start()
            self.api.wait_ready(lambda: listens(self._api_port), timeout_s=START_TIMEOUT_S)

    def stop_compute(self) -> None:
        """Run no function until `start_compute`; a call that runs is let end."""
        for process in (self.function, self.api):
            if process is not None:
                process.stop()

    def redeploy(self, environment: Mapping[str, str]) -> None:
        """Replace `process` by one with this environment, as a new revision does; the API stays as it is."""
        self.environment = dict(environment)
        self.function.stop()
        self.function = self._describe_function()
        self.start_function()

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

    def _describe_function(self) -> SupervisedProcess:
        return framework(
            "process",
            port=self._function_port,
            source=self._task_root / "handlers" / "gcp.py",
            thread_count=self._settings.thread_count,
            environment=self.environment,
            task_root=self._task_root,
            log_path=self._folder / "function.log",
        )

    @property
    def _push_config(self) -> dict[str, str]:
        port = self._doors.push.port if self._doors else self._function_port
        return {"pushEndpoint": f"http://{LOOPBACK}:{port}/projects/{PROJECT}/topics/work"}

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
        project = f"projects/{PROJECT}"
        for name in ("work", "parked"):
            self._create(f"/v1/{project}/topics/{name}", {})
        parked = {"topic": f"{project}/topics/parked", "ackDeadlineSeconds": 60}
        self._create(f"/v1/{project}/subscriptions/work", self._settings.subscription(project))
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
        body = {"name": BUCKET, "versioning": {"enabled": True}}
        call("POST", self.storage.url, "/storage/v1/b", query={"project": PROJECT}, body=body)

    def _environment(self, among: AmongOthers | None) -> dict[str, str]:
        token = {"GOOGLE_APPLICATION_CREDENTIALS": str(self._token_server.path)} if self._token_server else {}
        return {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            **self._endpoint_variables(),
            "SLUICE_CLOUD": "gcp",
            "SLUICE_BUCKET": BUCKET,
            "SLUICE_LEDGER_COLLECTION": COLLECTION,
            "SLUICE_CONTROL_COLLECTION": "control",
            "SLUICE_WORK_TOPIC": "work",
            "SLUICE_WORK_SUBSCRIPTION": "work",
            "SLUICE_PARKED_TOPIC": "parked",
            "SLUICE_PARKED_SUBSCRIPTION": "parked",
            "SLUICE_TIMEOUT_S": str(self._settings.timeout_s),
            # No library may look for a real account or ask a metadata server.
            "NO_GCE_CHECK": "true",
            "GCE_METADATA_HOST": f"{LOOPBACK}:9",
            "CLOUDSDK_CONFIG": str(self._folder / "no-gcloud"),
            **token,
            **self._settings.environment,
            **(among.environment if among else {}),
        }

    def _endpoint_variables(self) -> dict[str, str]:
        doors = self._doors
        return {
            "STORAGE_EMULATOR_HOST": doors.store.url if doors else self.storage.url,
            "PUBSUB_EMULATOR_HOST": f"{LOOPBACK}:{doors.queue.port}" if doors else self.pubsub.http_address,
            "FIRESTORE_EMULATOR_HOST": f"{LOOPBACK}:{doors.ledger.port}" if doors else self.firestore.http_address,
        }

    def _connect_doors(self, doors: Doors) -> None:
        """Put the servers behind the doors, and describe the API."""
        self._api_port = pick_free_port()
        for door, port in (
            (doors.store, self.storage.port),
            (doors.queue, self.pubsub.http_port),
            (doors.ledger, self.firestore.http_port),
            (doors.push, self._function_port),
            (doors.api, self._api_port),
        ):
            door.upstream_port = port
        main = self._folder / "api-package" / "main.py"
        main.parent.mkdir(exist_ok=True)
        main.write_text(root_files()[main.name])
        self.api = framework(
            "api",
            port=self._api_port,
            source=main,
            thread_count=_API_THREADS,
            environment=self.environment,
            task_root=self._task_root,
            log_path=self._folder / "api.log",
        )
