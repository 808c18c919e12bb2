"""The example of a deployer's policy on AWS, judged by cfn-lint's list of what actions there are."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
POLICY = json.loads((ROOT / "docs/examples/aws-deployer-policy.json").read_text())
MANAGED_POLICY_MAX_CHARS = 6_144  # without white space ("IAM and AWS STS quotas", IAM User Guide)


def lint(policy: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """What cfn-lint says of a policy."""
    resource = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policy}}
    template = folder / "template.json"
    template.write_text(json.dumps({"Resources": {"Policy": resource}}))
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(template)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_action_exists(tmp_path: Path) -> None:
    """cfn-lint knows every action, and finds nothing else to say."""
    judged = lint(POLICY, tmp_path)

    assert (judged.returncode, judged.stdout) == (0, "")


def test_the_judge_knows_what_does_not_exist(tmp_path: Path) -> None:
    """A misspelt action is told: the judge above can say no."""
    misspelt = {"Effect": "Allow", "Action": "sqs:MakeQueue", "Resource": "*"}

    judged = lint({"Version": "2012-10-17", "Statement": [misspelt]}, tmp_path)

    assert "makequeue" in judged.stdout
    assert judged.returncode != 0


def test_fits_into_a_managed_policy() -> None:
    """It is short enough for one managed policy."""
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= MANAGED_POLICY_MAX_CHARS
