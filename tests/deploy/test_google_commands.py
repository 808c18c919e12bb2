"""The other commands about a deployment to Google Cloud, and its secrets."""

import json
from collections.abc import Iterator
from importlib.resources import files

import pytest

from tests.deploy.google_world import IN_PROJECT, IN_REGION, World, first_deployment, world_of


@pytest.fixture
def standing() -> Iterator[World]:
    """A deployment to work on."""
    with world_of(first_deployment()[0].services.settled_copy()) as world:
        yield world


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


def test_plain_deployment_does_not_cut_it_off(standing: World) -> None:
    """Among others, a deployment without peers is refused, and a plan warns; on purpose it goes ahead."""
    peers = json.dumps({"aws": {"url": "https://x.example", "origins": []}})
    standing.sls("deploy", "--param", "order=aws,gcp", "--param", f"peers={peers}")
    before = standing.state()

    refused = [standing.sls(*command) for command in (("deploy",), ("deploy", "function", "-f", "process"))]
    planned = standing.sls("deploy", "--plan")
    untouched = standing.state()
    alone = standing.sls("deploy", "--param", "alone=true")

    line = 'gcp would be cut off from aws, because "peers" is empty. Together: npx sls clouds deploy --only aws,gcp '
    assert [(done.returncode, f"\n{line}" in done.stdout) for done in refused] == [(1, True)] * 2
    assert (planned.returncode, f"\nwarning: {line}" in planned.stdout) == (0, True)
    assert untouched == before
    assert alone.returncode == 0, alone.stdout
    config = standing.services.things[f"{IN_REGION}/functions/sluice-dev-api"]["serviceConfig"]
    settings = config["environmentVariables"]
    assert (settings["SLUICE_ORDER"], "SLUICE_PEERS" in settings) == ("gcp", False)


def test_peer_keys_go_by_reference(standing: World) -> None:
    """A missing secret is told with the remedy; one that stands is read by version, by the functions' own accounts."""
    with_keys = ("deploy", "--param", "peer_keys_secret=sluice-dev-peer-keys")

    missing = standing.sls(*with_keys)
    standing.sls("peer-keys", "--set", text=peer_keys("1" * 64))
    standing.sls("peer-keys", "--set", text=peer_keys("2" * 64))
    done = standing.sls(*with_keys)

    assert (
        "Secret sluice-dev-peer-keys is missing: make it (docs/deploy/gcp.md), or leave its parameter empty"
        in missing.stdout
    )
    assert done.returncode == 0, done.stdout
    reference = [{"key": "SLUICE_PEER_KEYS", "secret": "sluice-dev-peer-keys", "version": "2"}]
    for name in ("api", "process", "watch"):
        function = standing.services.things[f"{IN_REGION}/functions/sluice-dev-{name}"]
        assert function["serviceConfig"]["secretEnvironmentVariables"] == reference
    readers = {"roles/secretmanager.secretAccessor": ["sluice-dev-api", "sluice-dev-process", "sluice-dev-watch"]}
    assert standing.roles(f"{IN_PROJECT}/secrets/sluice-dev-peer-keys") == readers


def test_peer_keys_go_with_the_deployment(standing: World) -> None:
    """Equal keys make no new version; `sls remove` removes the secret, although nothing refers to it."""
    for _ in range(2):
        standing.sls("peer-keys", "--set", text=peer_keys("1" * 64))
    versions = [name for name in standing.services.things if "/versions/" in name]
    other = f"{IN_PROJECT}/secrets/other"
    standing.services.things[other] = {"name": other, "labels": {"service": "sluice", "stage": "dev-2"}}

    done = standing.sls("remove")

    assert versions == [f"{IN_PROJECT}/secrets/sluice-dev-peer-keys/versions/1"]
    assert "removed secret sluice-dev-peer-keys\n" in done.stderr
    assert standing.services.things.keys() == {other}  # of another stage


def peer_keys(secret: str) -> str:
    return json.dumps({"current": "k1", "keys": {"k1": secret}})


def test_address(standing: World) -> None:
    """The API's address, and where presigned URLs point."""
    shown = standing.sls("address", "--json")

    assert json.loads(shown.stdout) == {
        "url": "https://sluice-dev-api-abc123-ew.a.run.app",
        "origins": ["https://storage.googleapis.com"],
    }


def test_without_credentials(standing: World) -> None:
    """It is told in one line how to log in, and nothing is asked."""
    standing.credentials.unlink()

    refused = standing.sls("info")

    assert refused.returncode == 1
    assert "Google gives no token: " in refused.stdout
    assert "Log in again: `gcloud auth application-default login`." in refused.stdout
    assert standing.plane.asked == []


def test_deployed_settings_reach_the_operators_commands(standing: World) -> None:
    """`sls ledger --deployed` asks the deployed database (here one that refuses), and names it."""
    refused = standing.sls("ledger", "--deployed", env={"FIRESTORE_EMULATOR_HOST": "127.0.0.1:9"})

    assert refused.returncode == 1
    assert "Google Firestore runQuery of " in refused.stderr
    assert "NewConnectionError" in refused.stderr


def test_googles_own_client_understands_the_stand_in(standing: World) -> None:
    """google-api-python-client reads and makes what our plugin does: the stand-in speaks as Google does."""
    from googleapiclient.discovery import build_from_document
    from httplib2 import Http

    token = standing.plane.new_token()["access_token"]
    document = json.loads((files("googleapiclient") / "discovery_cache/documents/pubsub.v1.json").read_text())
    document["rootUrl"] = f"{standing.plane.url}/pubsub.googleapis.com/"
    http = Http()
    topics = build_from_document(document, http=http).projects().topics()
    asked = [
        topics.get(topic=f"{IN_PROJECT}/topics/sluice-dev-work"),
        topics.create(name=f"{IN_PROJECT}/topics/t", body={}),
    ]
    for request in asked:
        request.headers["authorization"] = f"Bearer {token}"

    found, made = (request.execute() for request in asked)

    http.close()
    assert found["labels"] == {"service": "sluice", "stage": "dev"}
    assert made == {"name": f"{IN_PROJECT}/topics/t"}
