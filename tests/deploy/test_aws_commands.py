"""AWS through the Serverless command line, against an emulator that itself runs the packaged functions."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.aws.clients import CREDENTIALS, REGION, aws_client
from drills.aws.ministack import Ministack
from drills.waiting import wait_until
from handlers.peers.settings import read_peer_settings
from tests.e2e.bucket import ROOT, WAIT_S

pytestmark = pytest.mark.timeout(300)  # the first test waits for the deployment

SLS_TIMEOUT_S = 180
PEER_KEYS = {"current": "k1", "keys": {"k1": "ab" * 32}}
PEERS = {"gcp": {"url": "https://127.0.0.1:9", "origins": []}}  # it does not answer
SETTINGS = {"order": "aws,gcp", "peers": json.dumps(PEERS)}
LEAVING_NOTHING = ("--param", "data_deletion_policy=Delete", "--param", "ledger_deletion_protection=false")
BUCKET = f"sluice-dev-uploads-000000000000-{REGION}"
KEPT_ID = "kept"


class Account:
    """An emulated account with nothing else in it."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.reference = ""

    def sls(self, *arguments: str, given: str = "", status: int = 0) -> str:
        """Run the framework with `given` as standard input; gives standard output and standard error."""
        done = subprocess.run(
            [str(ROOT / "node_modules/.bin/sls"), *arguments],
            cwd=ROOT,
            env={**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint_url, "AWS_REGION": REGION},
            input=given,
            capture_output=True,
            text=True,
            timeout=SLS_TIMEOUT_S,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def deploy(self, *more: str) -> str:
        """Run `sls deploy` as a cloud among others, whose keys are in the secret store."""
        self.reference = self.reference or self.sls("peer-keys", "--reference").splitlines()[0]
        params = [*(f"{name}={value}" for name, value in SETTINGS.items()), self.reference]
        return self.sls("deploy", *more, *(word for param in params for word in ("--param", param)))

    def client(self, service: Any) -> Any:
        return aws_client(service, endpoint_url=self.endpoint_url)

    def standing(self) -> set[str]:
        """Names of everything in it."""
        stacks = self.client("cloudformation").list_stacks()["StackSummaries"]
        listed = [
            [stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"],
            [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]],
            self.client("sqs").list_queues().get("QueueUrls", []),
            self.client("dynamodb").list_tables()["TableNames"],
            [each["FunctionName"] for each in self.client("lambda").list_functions()["Functions"]],
            [each["RoleName"] for each in self.client("iam").list_roles()["Roles"]],
            [each["logGroupName"] for each in self.client("logs").describe_log_groups()["logGroups"]],
            [each["AlarmName"] for each in self.client("cloudwatch").describe_alarms()["MetricAlarms"]],
            [each["Name"] for each in self.client("events").list_rules()["Rules"]],
            [each["Name"] for each in self.client("apigatewayv2").get_apis()["Items"]],
            [each["Name"] for each in self.client("secretsmanager").list_secrets()["SecretList"]],
        ]
        return {name for names in listed for name in names}

    def updated_at(self) -> Any:
        [stack] = self.client("cloudformation").describe_stacks(StackName="sluice-dev")["Stacks"]
        return stack["LastUpdatedTime"]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Ministack(tmp_path_factory.mktemp("ministack")) as emulator:
        yield Account(emulator.endpoint_url)


@pytest.fixture(scope="module")
def plan_of_new(account: Account) -> str:
    """What `--plan` said when there was no stack, but bucket and ledger, which an earlier removal kept."""
    account.client("s3").create_bucket(Bucket=BUCKET)
    account.client("dynamodb").create_table(
        TableName="sluice-dev-ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "upload_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "upload_id", "KeyType": "HASH"}],
    )
    account.client("dynamodb").put_item(TableName="sluice-dev-ledger", Item={"upload_id": {"S": KEPT_ID}})
    told = account.sls("deploy", "--plan", "--cloud", "aws")
    assert account.standing() == {BUCKET, "sluice-dev-ledger"}
    return told


@pytest.fixture(scope="module")
def failed(account: Account, plan_of_new: str) -> str:
    """What a deployment said that failed half-way: measured, the emulator plans to adopt a bucket, and then refuses."""
    return account.sls("deploy", status=1)


@pytest.fixture(scope="module")
def deployed(account: Account, failed: str) -> Account:
    """The account with the deployed stack, of what the failed deployment left; all tests share it."""
    account.client("s3").delete_bucket(Bucket=BUCKET)
    account.sls("peer-keys", "--set", given=json.dumps(PEER_KEYS))
    account.deploy()
    return account


@pytest.fixture(scope="module")
def alone(deployed: Account) -> Account:
    """The account after a deployment that cuts it off on purpose, and keeps no data; for the last tests."""
    deployed.sls("deploy", "--param", "alone=true", *LEAVING_NOTHING)
    return deployed


def test_plan_of_a_new_stack_creates_nothing(plan_of_new: str) -> None:
    """`sls deploy --plan` lists what would be created; the fixture sees that nothing is."""
    assert "would create AWS::SQS::Queue WorkQueue\n" in plan_of_new
    assert "would create AWS::Lambda::Function ProcessLambdaFunction\n" in plan_of_new


def test_plan_adopts_what_an_earlier_removal_kept(plan_of_new: str) -> None:
    """Bucket and ledger that stand under the template's names are taken into the stack, not created."""
    assert "would adopt AWS::S3::Bucket UploadBucket\n" in plan_of_new
    assert "would adopt AWS::DynamoDB::Table Ledger\n" in plan_of_new


def test_failed_deployment_tells_the_reason(failed: str) -> None:
    """CloudFormation's own message names neither the resource nor the reason; ours names both."""
    assert f"UploadBucket: Resource of type 'AWS::S3::Bucket' with identifier '{BUCKET}' already exists." in failed


def test_deployment_adopts_the_ledger(deployed: Account) -> None:
    """The ledger that was kept is in the stack now, and the row in it is still there."""
    key = {"upload_id": {"S": KEPT_ID}}
    resource = {"StackName": "sluice-dev", "LogicalResourceId": "Ledger"}

    found = deployed.client("cloudformation").describe_stack_resource(**resource)["StackResourceDetail"]

    assert found["PhysicalResourceId"] == "sluice-dev-ledger"
    assert deployed.client("dynamodb").get_item(TableName="sluice-dev-ledger", Key=key)["Item"] == key


def test_all_functions_are_deployed(deployed: Account) -> None:
    """`sls info` names the three functions and the API's address."""
    told = deployed.sls("info")

    assert [name for name in ("process", "api", "watch") if f"{name}: sluice-dev-{name}" in told] == [
        "process",
        "api",
        "watch",
    ]
    assert "endpoint: ANY - https://" in told


def test_one_function_is_deployed_by_itself(deployed: Account) -> None:
    """`sls deploy function` sends one function's code, and leaves what it knows of the others."""
    functions = deployed.client("lambda")
    before = functions.get_function_configuration(FunctionName="sluice-dev-process")

    told = deployed.sls("deploy", "function", "-f", "process", "--force")

    after = functions.get_function_configuration(FunctionName="sluice-dev-process")
    assert "Function code deployed" in told
    assert after["LastModified"] > before["LastModified"]
    assert after["Environment"] == before["Environment"]


def test_second_deployment_changes_nothing(deployed: Account) -> None:
    """The same project deployed again is seen to be the same, and the stack is not touched."""
    before = deployed.updated_at()

    told = deployed.deploy()

    assert "No changes to deploy" in told
    assert deployed.updated_at() == before


def test_plan_names_the_properties_that_change(deployed: Account) -> None:
    """A plan of another setting names what it touches, not the code, which is the same, and changes nothing."""
    before = deployed.updated_at()

    told = deployed.deploy("--plan", "--param", "timeout_s=61")

    lines = {line.split(":  ")[0] for line in told.splitlines() if line.startswith("would")}
    assert "would update AWS::SQS::Queue WorkQueue: VisibilityTimeout" in lines
    [process] = [
        line for line in lines if line.startswith("would update AWS::Lambda::Function ProcessLambdaFunction: ")
    ]
    assert process.split(": ")[1].split(", ") == ["perhaps Environment", "perhaps Role", "Timeout"]
    assert deployed.updated_at() == before


def test_invoked_function_answers_and_logs(deployed: Account) -> None:
    """`sls invoke` prints the answer of the deployed function, and `sls logs` what it wrote."""
    told = deployed.sls("invoke", "-f", "process", "-d", '{"unknown": 1}')

    assert json.loads(told) == {"batchItemFailures": []}
    assert "parked: the message has no Records" in deployed.sls("logs", "-f", "process")


def test_deployed_function_records_an_upload(deployed: Account, tmp_path: Path) -> None:
    """A file put with `sls put --deployed` is recorded by the function, and `sls ledger --deployed` shows it."""
    (tmp_path / "hello.txt").write_text("hello\n")

    deployed.sls("put", str(tmp_path / "hello.txt"), "--deployed")

    def is_recorded() -> bool:
        rows = deployed.client("dynamodb").scan(TableName="sluice-dev-ledger")["Items"]
        return any("recorded" in json.dumps(row) for row in rows)

    wait_until(is_recorded, timeout_s=WAIT_S, what="the record")
    deployed.client("dynamodb").delete_item(TableName="sluice-dev-ledger", Key={"upload_id": {"S": KEPT_ID}})
    [record] = json.loads(deployed.sls("ledger", "--json", "--deployed"))["records"]
    assert (record["state"], record["key"], record["content_type"]) == ("recorded", "hello.txt", "text/plain")


def test_deployed_api_answers(deployed: Account) -> None:
    """The HTTP API of the stack leads to the deployed function, which asks for a key."""
    [api] = deployed.client("apigatewayv2").get_apis()["Items"]
    url = f"{deployed.endpoint_url}/restapis/{api['ApiId']}/$default/_user_request_/v1/health"

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=WAIT_S)

    with refused.value as answer:
        assert answer.code == 401
        assert json.load(answer)["type"].endswith("unauthorized")


def test_address_is_what_peers_want(deployed: Account) -> None:
    """`sls address --json` gives the API of the stack and its bucket's hosts, as a setting that functions accept."""
    address = json.loads(deployed.sls("address", "--json"))

    [api] = deployed.client("apigatewayv2").get_apis()["Items"]
    assert address["url"] == f"https://{api['ApiId']}.execute-api.{REGION}.amazonaws.com"
    hosts = (f"https://{BUCKET}.s3.amazonaws.com", f"https://{BUCKET}.s3.{REGION}.amazonaws.com")
    env = {
        "SLUICE_CLOUD": "gcp",
        "SLUICE_ORDER": "gcp,aws",
        "SLUICE_PEERS": json.dumps({"aws": address}),
        "SLUICE_PEER_KEYS": json.dumps(PEER_KEYS),
    }
    assert read_peer_settings(env).peers["aws"].origins == hosts


def test_functions_get_the_keys_of_the_secret(deployed: Account) -> None:
    """The keys that `sls peer-keys --set` stored are those of the functions; the template has a reference only."""
    function = deployed.client("lambda").get_function_configuration(FunctionName="sluice-dev-api")

    assert json.loads(function["Environment"]["Variables"]["SLUICE_PEER_KEYS"]) == PEER_KEYS
    template = deployed.client("cloudformation").get_template(StackName="sluice-dev", TemplateStage="Original")
    assert "{{resolve:secretsmanager:sluice-dev-peer-keys:" in json.dumps(template["TemplateBody"])
    assert PEER_KEYS["keys"]["k1"] not in json.dumps(template["TemplateBody"])


def test_printed_keys_are_those_stored(deployed: Account) -> None:
    """`sls peer-keys` prints the keys and nothing else, so that they may be piped to another cloud."""
    assert json.loads(deployed.sls("peer-keys")) == PEER_KEYS


def test_plain_deployment_does_not_cut_it_off(deployed: Account) -> None:
    """Without peers a deployment of a cloud among others is refused, and a plan warns; the stack is not touched."""
    before = deployed.updated_at()

    refused = deployed.sls("deploy", status=1)
    planned = deployed.sls("deploy", "--plan")

    line = 'aws would be cut off from gcp, because "peers" is empty. Together: npx sls clouds deploy --only aws,gcp '
    assert f"\n{line}" in refused
    assert f"\nwarning: {line}" in planned
    assert deployed.updated_at() == before


def test_it_goes_alone_on_purpose(alone: Account) -> None:
    """With `--param alone=true` the functions are told of nobody any more."""
    api = alone.client("lambda").get_function_configuration(FunctionName="sluice-dev-api")

    variables = api["Environment"]["Variables"]
    assert (variables["SLUICE_ORDER"], variables["SLUICE_PEERS"]) == ("aws", "")


def test_removal_leaves_nothing(alone: Account) -> None:
    """`sls clouds remove` removes stack and keys, and data if told so; the last test, as the others need them."""
    told = alone.sls("clouds", "remove", "--only", "aws", "--yes")

    assert "aws    removed" in told
    assert alone.standing() == set()
