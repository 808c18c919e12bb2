"""`sls … --cloud gcp` against emulated control planes, judged by Google's own descriptions of its APIs."""

import copy
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.google_compute_storage import GoogleProject
from tests.deploy.google_control_plane import ControlPlaneServer, Fault
from tests.deploy.google_sls import copy_project, sls, write_credentials

IN_PROJECT = "projects/my-project"
IN_REGION = f"{IN_PROJECT}/locations/europe-west1"
BUCKET = "b/sluice-dev-uploads-1c7cd944"
LABELS = {"service": "sluice", "stage": "dev"}
CREATE_FUNCTION = "cloudfunctions.projects.locations.functions.create"


@dataclass
class World:
    """A project of Google's, its control planes, and a checkout that deploys to it."""

    services: GoogleProject
    plane: ControlPlaneServer
    checkout: Path
    credentials: Path

    def sls(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.plane.asked.clear()
        return sls(self.checkout, *arguments, control_plane=self.plane.url, credentials=self.credentials)

    def state(self) -> Any:
        """What stands, without what differs between two deployments of the same."""
        things = copy.deepcopy(self.services.things)
        for thing in things.values():
            thing.get("buildConfig", {}).pop("source", None)
            thing.pop("id", None)
        by_name = {name.rpartition("/")[0] if name.startswith("b/") else name: thing for name, thing in things.items()}
        policies = copy.deepcopy(self.services.policies.by_name)
        for policy in policies.values():
            policy.pop("etag")
        return by_name, policies


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def begin(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[GoogleProject], Any]:
    """Makes a world; at its end the judge must have had nothing to say."""

    def begin(services: GoogleProject) -> Iterator[World]:
        plane = ControlPlaneServer(services)
        with plane.running():
            folder = tmp_path_factory.mktemp("credentials")
            credentials = write_credentials(folder, token_url=f"{plane.url}/token")
            yield World(services=services, plane=plane, checkout=checkout, credentials=credentials)
        assert plane.complaints == []

    return begin


@pytest.fixture
def empty(begin: Callable[[GoogleProject], Iterator[World]]) -> Iterator[World]:
    yield from begin(GoogleProject())


@pytest.fixture(scope="module")
def deployed(begin: Callable[[GoogleProject], Iterator[World]]) -> Iterator[tuple[World, str]]:
    """A first deployment, and what it said. Only to be looked at."""
    for world in begin(GoogleProject()):
        done = world.sls("deploy")
        assert done.returncode == 0, done.stdout
        yield world, done.stderr


@pytest.fixture
def standing(deployed: tuple[World, str], begin: Callable[[GoogleProject], Iterator[World]]) -> Iterator[World]:
    """A deployment to work on."""
    yield from begin(deployed[0].services.settled_copy())


def roles(world: World, name: str) -> dict[str, list[str]]:
    """Who may do what on a thing: members by role, with "?" behind a role that has a condition."""
    bindings = world.services.policies.get(name)["bindings"]
    return {
        b["role"] + ("?" if "condition" in b else ""): sorted(
            m.partition("@")[0].partition(":")[2] or m for m in b["members"]
        )
        for b in bindings
    }


def test_plan_of_an_empty_project(empty: World) -> None:
    """--plan says what would be made, and makes nothing, although no API is enabled yet."""
    planned = empty.sls("deploy", "--plan")

    assert planned.returncode == 0, planned.stdout
    assert "would update APIs of project my-project: artifactregistry.googleapis.com, " in planned.stdout
    assert "would create bucket sluice-dev-uploads-1c7cd944\n" in planned.stdout
    assert len(planned.stdout.strip().splitlines()) == 27
    assert empty.plane.changed == []


def test_every_thing_says_whose_it_is(deployed: tuple[World, str]) -> None:
    """What can have labels has them; accounts and schedules say it in their description."""
    world, said = deployed
    things = world.services.things

    unlabelled = {name for name, thing in things.items() if not thing.get("labels", {}).items() >= LABELS.items()}
    described = {name for name in unlabelled if "service=sluice stage=dev" in things[name].get("description", "")}

    assert len(things) == 16
    assert len(described) == 6  # five accounts and the schedule
    assert {name.split("/")[-2] for name in unlabelled - described} == {"databases", "sluice-dev-uploads-1c7cd944"}
    assert "27 of 27 changed" in said


def test_rights_are_the_least(deployed: tuple[World, str]) -> None:
    """Each account may do what its function does, on its own things, and nothing else."""
    world, _ = deployed
    api, process, watch = "sluice-dev-api", "sluice-dev-process", "sluice-dev-watch"

    assert roles(world, IN_PROJECT) == {
        "roles/logging.logWriter": ["sluice-dev-build"],
        "roles/artifactregistry.writer": ["sluice-dev-build"],
        "roles/storage.objectViewer": ["sluice-dev-build"],
        "roles/datastore.user?": [api, process, watch],
        "roles/monitoring.viewer": [api, watch],
    }
    assert roles(world, BUCKET) == {
        "roles/storage.objectViewer": [process],
        "roles/storage.objectUser": [api],
        "roles/storage.legacyBucketReader": [watch],
        "roles/storage.objectUser?": [watch],
    }
    assert roles(world, f"{IN_PROJECT}/topics/sluice-dev-parked") == {
        "roles/pubsub.publisher": ["service-123456789012", process]
    }
    assert roles(world, f"{IN_PROJECT}/topics/sluice-dev-work") == {
        "roles/pubsub.publisher": ["service-123456789012", api, watch]
    }
    assert {one: roles(world, f"{IN_REGION}/services/{one}") for one in (api, process, watch)} == {
        api: {"roles/run.invoker": ["allUsers"]},
        process: {"roles/run.invoker": ["sluice-dev-invoker"]},
        watch: {"roles/run.invoker": ["sluice-dev-invoker"]},
    }


def test_conditions_name_the_database_and_our_own_objects(deployed: tuple[World, str]) -> None:
    """What must be given on the project, or on a whole bucket, is narrowed by a condition."""
    world, _ = deployed
    bindings = [b for name in (IN_PROJECT, BUCKET) for b in world.services.policies.get(name)["bindings"]]

    assert [b["condition"]["expression"] for b in bindings if "condition" in b] == [
        'resource.name == "projects/my-project/databases/sluice-dev"',
        'resource.name.startsWith("projects/_/buckets/sluice-dev-uploads-1c7cd944/objects/.sluice/")',
    ]


def test_events_reach_the_function(deployed: tuple[World, str]) -> None:
    """Uploads and deletions go to the topic, whose subscription pushes to `process` with a token for it."""
    things = deployed[0].services.things
    [notification] = [thing for name, thing in things.items() if name.startswith(f"{BUCKET}/")]
    work = things[f"{IN_PROJECT}/subscriptions/sluice-dev-work"]
    uri = things[f"{IN_REGION}/functions/sluice-dev-process"]["serviceConfig"]["uri"]

    assert notification["topic"] == f"//pubsub.googleapis.com/{IN_PROJECT}/topics/sluice-dev-work"
    assert set(notification["event_types"]) == {"OBJECT_FINALIZE", "OBJECT_DELETE", "OBJECT_ARCHIVE"}
    assert work["pushConfig"]["pushEndpoint"] == f"{uri}/"
    assert work["pushConfig"]["oidcToken"]["audience"] == uri
    assert work["deadLetterPolicy"]["maxDeliveryAttempts"] == 100
    assert (work["ackDeadlineSeconds"], work["expirationPolicy"]) == (70, {})
    assert things[BUCKET]["iamConfiguration"]["publicAccessPrevention"] == "enforced"


def test_settings_of_the_functions(deployed: tuple[World, str]) -> None:
    """A function's environment names what stands, and has no empty settings."""
    function = deployed[0].services.things[f"{IN_REGION}/functions/sluice-dev-process"]

    settings = function["serviceConfig"]["environmentVariables"]

    assert settings["SLUICE_BUCKET"] == "sluice-dev-uploads-1c7cd944"
    assert settings["SLUICE_LEDGER_DATABASE"] == "sluice-dev"
    assert settings["SLUICE_WORK_SUBSCRIPTION"] == "sluice-dev-work"
    assert "SLUICE_PEERS" not in settings
    assert (function["buildConfig"]["entryPoint"], function["buildConfig"]["runtime"]) == ("process", "python313")


def test_second_deployment_changes_nothing(standing: World) -> None:
    """Without a change nothing is uploaded, built or written."""
    done = standing.sls("deploy")

    assert done.returncode == 0, done.stdout
    assert "nothing changed: all 27 stand as declared" in done.stderr
    assert standing.plane.changed == []


def test_a_changed_setting_changes_what_depends_on_it(standing: World) -> None:
    """Another timeout changes the function and its subscription's deadline, and builds nothing."""
    done = standing.sls("deploy", "--param", "timeout_s=90")

    assert done.returncode == 0, done.stdout
    assert standing.plane.changed == [
        "cloudfunctions.projects.locations.functions.patch",
        "pubsub.projects.subscriptions.patch",
    ]
    assert standing.services.things[f"{IN_PROJECT}/subscriptions/sluice-dev-work"]["ackDeadlineSeconds"] == 100


def test_deploy_function_brings_new_code_to_one(standing: World) -> None:
    """Other code is uploaded and built for the one function that is named."""
    logic = standing.checkout / "handlers" / "logic.py"
    old = logic.read_text()
    logic.write_text(old + "# changed\n")

    done = standing.sls("deploy", "function", "--function", "process")

    logic.write_text(old)
    assert done.returncode == 0, done.stdout
    assert "updated function sluice-dev-process: labels, buildConfig" in done.stderr
    assert standing.plane.changed == [
        "cloudfunctions.projects.locations.functions.generateUploadUrl",
        "cloudfunctions.projects.locations.functions.patch",
    ]


FAULTS = [
    (
        Fault("serviceusage.services.batchEnable", "refused", status=403, code="PERMISSION_DENIED"),
        "(403 PERMISSION_DENIED): as the test wants it. docs/deploy/gcp.md lists the roles that a deployer needs.",
    ),
    (
        Fault("iam.projects.serviceAccounts.create", "refused", nth=2, status=429, code="RESOURCE_EXHAUSTED"),
        "(429 RESOURCE_EXHAUSTED): as the test wants it. Deploy again later, or ask Google for more of this quota.",
    ),
    (
        Fault("firestore.projects.databases.create", "failed"),
        "Making database sluice-dev failed (9): Out of capacity. Deploy again when that is mended",
    ),
    (Fault("storage.buckets.insert", "cut after"), "Google Cloud does not answer at storage.googleapis.com: "),
    (
        Fault("pubsub.projects.topics.setIamPolicy", "refused", status=409, code="ABORTED"),
        "Google Cloud refused POST topics/sluice-dev-work:setIamPolicy (409 ABORTED): as the test wants it.",
    ),
    (
        Fault(CREATE_FUNCTION, "failed"),
        "Making function sluice-dev-process failed (9): Build failed with status: FAILURE. Deploy again",
    ),
    (Fault(CREATE_FUNCTION, "cut after"), "Google Cloud does not answer at cloudfunctions.googleapis.com: "),
]


def test_deployments_that_break_off_are_finished_by_the_next(empty: World, deployed: tuple[World, str]) -> None:
    """Denied, out of quota, failed, overtaken, cut off: each is told in one line, and the next deployment goes on."""
    for fault, line in FAULTS:
        empty.plane.faults = [fault]
        broken = empty.sls("deploy")
        assert broken.returncode == 1
        assert line in broken.stdout.split("\n\n")[0].replace("Error:\n", "")
        assert "    at " not in broken.stdout, "a stack"
    empty.plane.faults = [Fault("pubsub.projects.topics.get", "expired", lasts=False)]

    done = empty.sls("deploy")

    assert done.returncode == 0, done.stdout
    assert empty.state() == deployed[0].state()


def test_remove_keeps_what_holds_anything(standing: World) -> None:
    """With a file in the bucket and a record in the database nothing is removed at all."""
    standing.services.objects.append({"name": "photo.png", "generation": "7"})
    standing.services.has_records = True

    refused = standing.sls("remove")

    assert refused.returncode == 1
    assert "Nothing was removed. database sluice-dev: it holds records; bucket sluice-dev-uploads" in refused.stdout
    assert "-1c7cd944: it holds files, or old versions of files. With --force" in refused.stdout
    assert standing.plane.changed == []


def test_remove_with_force_leaves_nothing(standing: World) -> None:
    """All versions, the protected database, and our entries in the project's policy go; other people's stay."""
    standing.services.objects += [{"name": "a/ü", "generation": "7"}, {"name": "a/ü", "generation": "8"}]
    standing.services.has_records = True
    policy = standing.services.policies.by_name[IN_PROJECT]
    policy["bindings"][0]["members"].append("user:else@example.com")

    done = standing.sls("remove", "--force")

    assert done.returncode == 0, done.stdout
    assert (standing.services.things, standing.services.objects) == ({}, [])
    assert standing.services.policies.by_name.keys() == {IN_PROJECT}
    assert roles(standing, IN_PROJECT) == {"roles/logging.logWriter": ["else"]}


def test_what_is_not_ours_is_left_alone(standing: World) -> None:
    """A bucket of our name without our labels stops the deployment, untouched."""
    standing.services.things[BUCKET]["labels"] = {"service": "other"}

    refused = standing.sls("deploy")

    assert refused.returncode == 1
    assert "exists, but without the labels service=sluice, stage=dev: it is not this service's" in refused.stdout
    assert standing.services.things[BUCKET]["labels"] == {"service": "other"}


def test_rights_that_nobody_declared_are_taken(standing: World) -> None:
    """An account of ours that was given more by hand loses it with the next deployment."""
    extra = {
        "role": "roles/storage.admin",
        "members": ["serviceAccount:sluice-dev-api@my-project.iam.gserviceaccount.com"],
    }
    standing.services.policies.by_name[BUCKET]["bindings"].append(extra)

    planned = standing.sls("deploy", "--plan")

    assert planned.stdout.count("would update") == 1
    assert (
        "rights on bucket sluice-dev-uploads-1c7cd944: take roles/storage.admin for sluice-dev-api\n" in planned.stdout
    )


def test_info(standing: World) -> None:
    """It tells the address, and how each function is."""
    shown = standing.sls("info")

    assert "url: https://sluice-dev-api-abc123-ew.a.run.app\n" in shown.stdout
    assert "function watch: ACTIVE, https://sluice-dev-watch-abc123-ew.a.run.app\n" in shown.stdout


def test_invoke_process_as_its_invoker(standing: World) -> None:
    """A push reaches `process` with a token for its address, as Pub/Sub's would."""
    push = {"message": {"data": "e30=", "messageId": "1"}, "subscription": "s"}

    done = standing.sls("invoke", "--function", "process", "--data", json.dumps(push))

    assert (done.returncode, done.stdout.strip()) == (0, '"OK"')
    [(host, path, body)] = standing.services.called
    assert (host, path, json.loads(body)) == ("sluice-dev-process-abc123-ew.a.run.app", "/", push)


def test_invoke_the_api_as_anybody(standing: World) -> None:
    """The API is asked without a token of Google's: it asks for its own."""
    done = standing.sls("invoke", "--function", "api", "--data", '{"path": "/v1/health"}')

    assert json.loads(done.stdout) == {"status": "ok"}


def test_logs(standing: World) -> None:
    """Lines of one function, of all pages, the oldest first."""
    standing.services.entries = [
        {
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": f"sluice-dev-{name}"}},
            "timestamp": f"2026-11-25T10:00:0{second}Z",
            **what,
        }
        for second, name, what in (
            (1, "process", {"textPayload": "INFO sluice: recorded", "severity": "INFO"}),
            (2, "api", {"textPayload": "not this one"}),
            (3, "process", {"httpRequest": {"requestMethod": "POST", "requestUrl": "https://x/", "status": 200}}),
        )
    ]

    shown = standing.sls("logs", "--function", "process", "--startTime", "2026-11-25T09:00:00Z")

    assert shown.stdout.strip().splitlines() == [
        "2026-11-25T10:00:01Z INFO INFO sluice: recorded",
        "2026-11-25T10:00:03Z POST https://x/ 200",
    ]


def test_secrets_go_by_reference(standing: World) -> None:
    """A missing secret is told with the remedy; one that stands is read by version, by the functions' own accounts."""
    with_keys = ("deploy", "--param", "peer_keys_secret=peer-keys")

    missing = standing.sls(*with_keys)
    write_secret(standing, "peer-keys", "first")
    write_secret(standing, "peer-keys", "second")
    write_secret(standing, "peer-keys", "second")
    done = standing.sls(*with_keys)

    assert "Secret peer-keys is missing: `gcloud secrets create peer-keys --data-file=FILE`" in missing.stdout
    assert done.returncode == 0, done.stdout
    reference = [{"key": "SLUICE_PEER_KEYS", "secret": "peer-keys", "version": "2"}]
    for name in ("api", "process", "watch"):
        function = standing.services.things[f"{IN_REGION}/functions/sluice-dev-{name}"]
        assert function["serviceConfig"]["secretEnvironmentVariables"] == reference
    readers = {"roles/secretmanager.secretAccessor": ["sluice-dev-api", "sluice-dev-process", "sluice-dev-watch"]}
    assert roles(standing, f"{IN_PROJECT}/secrets/peer-keys") == readers


def write_secret(world: World, name: str, value: str) -> None:
    """What `Deployment.writeSecret` does, which other commands call."""
    script = f"""
        const {{ GoogleDeployment }} = require('./plugins/google/deployment');
        const provider = {{ project: 'my-project', region: 'europe-west1', stage: 'dev' }};
        const events = [{{ pubsub: {{ topic: 'work' }} }}];
        const functions = {{ process: {{ handler: 'handlers/gcp.process', events }} }};
        const service = {{ service: 'sluice', provider, functions, package: {{}} }};
        const deployment = new GoogleDeployment({{ service }});
        deployment.writeSecret('{name}', '{value}').then(() => deployment.readSecret('{name}')).then(console.log);
    """
    environment = {"GOOGLE_APPLICATION_CREDENTIALS": str(world.credentials), "SLUICE_CONTROL_PLANE": world.plane.url}
    done = subprocess.run(
        ["node", "-e", script],
        cwd=world.checkout,
        env={**environment, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{value}\n"), done.stderr


def test_without_credentials(standing: World) -> None:
    """It is told in one line how to log in, and nothing is asked."""
    standing.credentials.unlink()

    refused = standing.sls("info")

    assert refused.returncode == 1
    assert "Google gives no token: " in refused.stdout
    assert "Log in again: `gcloud auth application-default login`." in refused.stdout
    assert standing.plane.asked == []
