"""`sls deploy` and `sls remove` of Google Cloud, judged by Google's own descriptions of its APIs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.deploy.google_compute_storage import GoogleProject
from tests.deploy.google_control_plane import Fault
from tests.deploy.google_world import BUCKET, IN_PROJECT, IN_REGION, World, first_deployment, world_of

LABELS = {"service": "sluice", "stage": "dev"}
CREATE_FUNCTION = "cloudfunctions.projects.locations.functions.create"


@pytest.fixture
def empty() -> Iterator[World]:
    with world_of(GoogleProject()) as world:
        yield world


@pytest.fixture(scope="module")
def deployed() -> tuple[World, str]:
    """A first deployment, and what it said. Only to be looked at."""
    return first_deployment()


@pytest.fixture
def standing() -> Iterator[World]:
    """A deployment to work on."""
    with world_of(first_deployment()[0].services.settled_copy()) as world:
        yield world


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

    assert world.roles(IN_PROJECT) == {
        "roles/run.builder": ["sluice-dev-build"],
        "roles/datastore.user?": [api, process, watch],
        "roles/monitoring.viewer": [api, watch],
    }
    assert world.roles(BUCKET) == {
        "roles/storage.objectViewer": [process],
        "roles/storage.objectUser": [api],
        "roles/storage.legacyBucketReader": [watch],
        "roles/storage.objectUser?": [watch],
    }
    assert world.roles(f"{IN_PROJECT}/topics/sluice-dev-parked") == {
        "roles/pubsub.publisher": ["service-123456789012", process]
    }
    assert world.roles(f"{IN_PROJECT}/topics/sluice-dev-work") == {
        "roles/pubsub.publisher": ["service-123456789012", api, watch]
    }
    assert {one: world.roles(f"{IN_REGION}/services/{one}") for one in (api, process, watch)} == {
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
    with changed_code(standing):
        done = standing.sls("deploy", "function", "--function", "process")

    assert done.returncode == 0, done.stdout
    assert "updated function sluice-dev-process: labels, buildConfig" in done.stderr
    assert standing.plane.changed == [
        "cloudfunctions.projects.locations.functions.generateUploadUrl",
        "cloudfunctions.projects.locations.functions.patch",
        "cloudfunctions.projects.locations.functions.patch",  # its label, once the code runs
    ]


def test_code_whose_build_failed_is_sent_again(standing: World) -> None:
    """The old code goes on, and the next deployment does not take it for the new one."""
    with changed_code(standing):
        standing.plane.faults = [Fault("cloudfunctions.projects.locations.functions.patch", "failed")]
        failed = standing.sls("deploy", "function", "--function", "process")
        standing.plane.faults = []
        again = standing.sls("deploy", "function", "--function", "process")

    assert "Changing function sluice-dev-process failed (9): Build failed" in failed.stdout
    assert "updated function sluice-dev-process: labels, buildConfig" in again.stderr


@contextmanager
def changed_code(world: World) -> Iterator[None]:
    """While it lasts, the checkout has other code than the deployment."""
    logic = world.checkout / "handlers" / "logic.py"
    old = logic.read_text()
    logic.write_text(old + "# changed\n")
    yield
    logic.write_text(old)


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
        Fault("pubsub.projects.topics.setIamPolicy", "refused", status=409, code="ABORTED"),
        "Google Cloud refused POST topics/sluice-dev-work:setIamPolicy (409 ABORTED): as the test wants it.",
    ),
    (
        Fault(CREATE_FUNCTION, "failed"),
        "Making function sluice-dev-process failed (9): Build failed with status: FAILURE. Deploy again",
    ),
    (Fault(CREATE_FUNCTION, "cut after"), "Google Cloud does not answer at cloudfunctions.googleapis.com: "),
]


@pytest.mark.timeout(300)  # it deploys six times
def test_deployments_that_break_off_are_finished_by_the_next(empty: World, deployed: tuple[World, str]) -> None:
    """Denied, out of quota, failed, overtaken, cut off: each is told in one line, and the next deployment goes on."""
    name_is_held = Fault(
        "firestore.projects.databases.create", "refused", lasts=False, status=409, code="ALREADY_EXISTS"
    )
    for fault, line in FAULTS:
        empty.plane.faults = [fault, name_is_held]
        broken = empty.sls("deploy")
        assert broken.returncode == 1
        assert line in broken.stdout.split("\n\n")[0].replace("Error:\n", "")
        assert "    at " not in broken.stdout, "a stack"
    empty.plane.faults = [Fault("pubsub.projects.topics.get", "expired", lasts=False)]

    done = empty.sls("deploy")

    assert done.returncode == 0, done.stdout
    assert name_is_held.seen == 2
    assert empty.state() == deployed[0].state()


def test_remove_keeps_what_holds_anything(standing: World) -> None:
    """With a file in the bucket and a record in the database nothing is removed at all."""
    standing.services.objects.append({"name": "photo.png", "generation": "7"})
    standing.services.collections.add("ledger")

    refused = standing.sls("remove")

    assert refused.returncode == 1
    assert "Nothing was removed. database sluice-dev: it holds records; bucket sluice-dev-uploads" in refused.stdout
    assert "-1c7cd944: it holds files, or old versions of files. With --force" in refused.stdout
    assert standing.plane.changed == []


def test_remove_with_force_leaves_nothing(standing: World) -> None:
    """All versions, the protected database, and our entries in the project's policy go; other people's stay."""
    standing.services.objects += [{"name": "a/ü", "generation": "7"}, {"name": "a/ü", "generation": "8"}]
    standing.services.collections.add("ledger")
    policy = standing.services.policies.by_name[IN_PROJECT]
    policy["bindings"][0]["members"].append("user:else@example.com")

    done = standing.sls("remove", "--force")

    assert done.returncode == 0, done.stdout
    assert (standing.services.things, standing.services.objects) == ({}, [])
    assert standing.services.policies.by_name.keys() == {IN_PROJECT}
    assert standing.roles(IN_PROJECT) == {"roles/run.builder": ["else"]}


def test_what_comes_during_the_removal_stays(standing: World) -> None:
    """A file or a record that came after the first look is nobody's to delete without --force."""
    services, late = standing.services, {"name": "late.png", "generation": "7"}
    services.objects.append({"name": ".sluice/probe", "generation": "6"})
    standing.plane.faults = [
        meanwhile("pubsub.projects.subscriptions.delete", lambda: services.objects.append(late)),
        meanwhile("storage.buckets.delete", lambda: services.collections.add("ledger"), nth=2),
    ]

    with_file = standing.sls("remove")
    kept = list(services.objects)
    services.objects.clear()
    with_record = standing.sls("remove")

    assert (with_file.returncode, with_record.returncode) == (1, 1)
    assert "bucket sluice-dev-uploads-1c7cd944 stays: it got files meanwhile." in with_file.stdout
    assert kept == [late]
    assert "database sluice-dev stays: it holds records." in with_record.stdout
    assert services.things[f"{IN_PROJECT}/databases/sluice-dev"]["deleteProtectionState"].endswith("_ENABLED")


def meanwhile(method: str, happens: Callable[[], object], *, nth: int = 1) -> Fault:
    return Fault(method, "meanwhile", nth=nth, lasts=False, happens=happens)


def test_a_database_that_somebody_else_uses_stays(standing: World) -> None:
    """It has no labels, so that collections which are not ours keep it as records do."""
    standing.services.collections.add("customers")

    refused = standing.sls("remove")

    assert "database sluice-dev: it holds collections that are not this service's: customers" in refused.stdout
    assert standing.plane.changed == []


def test_another_region_is_refused_before_anything_is_removed(standing: World) -> None:
    """A removal that looked for functions elsewhere would leave them behind, without their bucket."""
    refused = standing.sls("remove", env={"GOOGLE_CLOUD_REGION": "us-central1"})

    assert refused.returncode == 1
    assert (
        "stands in europe-west1, and cannot move to us-central1: set GOOGLE_CLOUD_REGION=europe-west1" in refused.stdout
    )
    assert standing.plane.changed == []


def test_a_removal_that_broke_off_is_taken_back(standing: World, deployed: tuple[World, str]) -> None:
    """A deployment waits until a function that is still being deleted is gone, and makes it anew."""
    standing.plane.faults = [Fault("cloudfunctions.projects.locations.functions.delete", "cut after", lasts=False)]
    broken = standing.sls("remove")

    done = standing.sls("deploy")

    assert broken.returncode == 1
    assert done.returncode == 0, done.stdout
    assert standing.state() == deployed[0].state()


def test_one_notification_is_left_of_two(standing: World) -> None:
    """Two deployments at once may make two, which would tell everything twice."""
    [(name, one)] = [(n, t) for n, t in standing.services.things.items() if n.startswith(f"{BUCKET}/")]
    old = {**one, "id": "901", "event_types": ["OBJECT_FINALIZE"]}
    standing.services.things |= {f"{BUCKET}/901": old, f"{BUCKET}/902": {**one, "id": "902"}}

    done = standing.sls("deploy")

    assert done.returncode == 0, done.stdout
    assert [n for n in standing.services.things if n.startswith(f"{BUCKET}/")] == [name]


def test_messages_whose_topic_was_deleted_stay(standing: World) -> None:
    """Pub/Sub keeps them in the subscription, which cannot get another topic: a deployment does not throw them away."""
    standing.services.things[f"{IN_PROJECT}/subscriptions/sluice-dev-parked"]["topic"] = "_deleted-topic_"

    refused = standing.sls("deploy")

    assert refused.returncode == 1
    assert "subscription sluice-dev-parked has the topic _deleted-topic_, and may hold messages: " in refused.stdout
    assert standing.plane.changed == []


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
