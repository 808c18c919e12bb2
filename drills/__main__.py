"""`python -m drills`: uploads files of many kinds to local clouds and checks that each is recorded once and right.

The clouds run side by side, with the same files and the same check. Exit status 0 only if all is right. Takes less than
half a minute, needs no network and no Docker.
"""

import argparse
import io
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drills.aws.cloud import LocalAws
from drills.aws.declaration import Declaration, read_declaration
from drills.aws.drilled import DrilledAws
from drills.azure.cloud import LocalAzure
from drills.azure.drilled import DrilledAzure
from drills.gcp.cloud import FunctionSettings, LocalGcp
from drills.gcp.drilled import DrilledGcp
from drills.sample_files import make_sample_files
from drills.upload_drill import (
    DrilledCloud,
    Finding,
    await_records,
    examine,
    format_findings,
    overall_faults,
    put_files,
)

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
DRILLS_FOLDER = PROJECT_FOLDER / ".sluice" / "drills"

WHAT_IS_REAL = {
    "aws": f"""\
Real      the deployment's own resources and settings (serverless.yml), the function's code, Amazon's runtime client for
          Lambda (awslambdaric, on Python {platform.python_version()}), boto3, the HTTP requests, the bytes
Emulated  S3, SQS, DynamoDB and CloudFormation by ministack; Lambda's Runtime API and SQS polling by drills/aws
Not shown IAM permissions, Lambda's CPU and memory limits, alarms, a network
""",
    "azure": f"""\
Real      the function's code, Microsoft's runtime library for Python functions (azure-functions-runtime, on Python
          {platform.python_version()}) and its gRPC protocol, Microsoft's clients that put and check, the bytes
Emulated  blobs, queues and tables by Azurite; Event Grid and the Functions host by drills/azure
Not shown a declaration of the resources, roles and identities, the plan's limits, a network
""",
    "gcp": f"""\
Real      the function's code, Google's functions framework (on Python {platform.python_version()}), Google's clients
          that put and check, the HTTP and gRPC requests, the bytes
Emulated  Cloud Storage and its notifications by fake-gcs-server; Pub/Sub and Firestore by stand-ins in drills/gcp
Not shown a declaration of the resources, IAM, Eventarc, Cloud Run's scaling and limits, a network
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the drill of one cloud came to."""

    cloud: str
    findings: Sequence[Finding]
    faults: Sequence[str]
    start_up_s: float
    took_s: float


def main() -> int:
    """Run the drill; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m drills", description=__doc__)
    parser.add_argument(
        "clouds", nargs="*", metavar="CLOUD", help="aws, azure, gcp (default: all of them, side by side)"
    )
    clouds = parser.parse_args().clouds or list(WHAT_IS_REAL)
    unknown = set(clouds) - WHAT_IS_REAL.keys()
    if unknown:
        parser.error(f"no such cloud: {', '.join(sorted(unknown))}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    DRILLS_FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="upload-", dir=DRILLS_FOLDER))
    with ThreadPoolExecutor(len(clouds)) as pool:
        results = list(pool.map(lambda cloud: run(cloud, folder / cloud), clouds))
    for result in results:
        _print(result)
    if any(result.faults for result in results):
        print(f"Logs and data: {folder.relative_to(PROJECT_FOLDER)}")
        return 1
    shutil.rmtree(folder)
    return 0


def run(cloud: str, folder: Path) -> Result:
    """Run the drill of one cloud in `folder`."""
    started_s = time.monotonic()
    with _LOCAL[cloud](folder) as drilled:
        start_up_s = time.monotonic() - started_s
        puts = put_files(drilled, make_sample_files())
        rows = await_records(drilled, puts)
        findings = examine(puts, rows)
        faults = overall_faults(drilled, findings, rows)
    took_s = time.monotonic() - started_s
    return Result(cloud=cloud, findings=findings, faults=faults, start_up_s=start_up_s, took_s=took_s)


def _print(result: Result) -> None:
    right_count = sum(not finding.faults for finding in result.findings)
    print(f"{result.cloud}\n{WHAT_IS_REAL[result.cloud]}\n{format_findings(result.findings)}")
    print(
        f"\n{right_count} of {len(result.findings)} files recorded once and right on {result.cloud},"
        f" in {result.took_s:.1f} s (start-up {result.start_up_s:.1f} s)."
    )
    for fault in result.faults:
        print(f"✗ {fault}")
    print()


@contextmanager
def _local_aws(folder: Path) -> Iterator[DrilledCloud]:
    declaration = _sized_for_this_machine(read_declaration(PROJECT_FOLDER))
    with LocalAws(declaration, folder=folder, task_root=PROJECT_FOLDER) as aws:
        yield DrilledAws(aws)


@contextmanager
def _local_azure(folder: Path) -> Iterator[DrilledCloud]:
    folder.mkdir()
    with LocalAzure(folder=folder, task_root=PROJECT_FOLDER) as azure:
        yield DrilledAzure(azure)


@contextmanager
def _local_gcp(folder: Path) -> Iterator[DrilledCloud]:
    with LocalGcp(FunctionSettings(), folder=folder, task_root=PROJECT_FOLDER) as gcp:
        yield DrilledGcp(gcp)


def _sized_for_this_machine(declaration: Declaration) -> Declaration:
    """Allow two concurrent invocations per processor; more would only wait for each other."""
    machine_concurrency = 2 * (os.cpu_count() or 1)
    return replace(declaration, maximum_concurrency=min(declaration.maximum_concurrency, machine_concurrency))


_LOCAL = {"aws": _local_aws, "azure": _local_azure, "gcp": _local_gcp}


if __name__ == "__main__":
    sys.exit(main())
