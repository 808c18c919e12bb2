"""`python -m drills`: uploads files of many kinds to local clouds and checks that each is recorded once and right.

The clouds run side by side, with the same files and the same check. Exit status 0 only if all is right. Takes less than
half a minute, needs no network and no Docker.
"""

import argparse
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from drills.running_clouds import PROJECT_FOLDER as PROJECT_FOLDER
from drills.running_clouds import running
from drills.sample_files import make_sample_files
from drills.upload_drill import (
    Finding,
    await_records,
    examine,
    format_findings,
    overall_faults,
    put_files,
)
from drills.what_is_real import WHAT_IS_REAL

DRILLS_FOLDER = PROJECT_FOLDER / ".sluice" / "drills"


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
        results = list(pool.map(lambda cloud: run(cloud, folder), clouds))
    for result in results:
        _print(result)
    if any(result.faults for result in results):
        print(f"Logs and data: {folder.relative_to(PROJECT_FOLDER)}")
        return 1
    shutil.rmtree(folder)
    return 0


def run(cloud: str, folder: Path) -> Result:
    """Run the drill of one cloud in a folder of `folder`."""
    started_s = time.monotonic()
    with running([cloud], folder, keeps_objects=False) as clouds:
        local = clouds[cloud]
        puts = put_files(local.drilled, make_sample_files())
        rows = await_records(local.drilled, puts)
        findings = examine(puts, rows)
        faults = overall_faults(local.drilled, findings, rows)
    took_s = time.monotonic() - started_s
    return Result(cloud=cloud, findings=findings, faults=faults, start_up_s=local.start_up_s, took_s=took_s)


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


if __name__ == "__main__":
    sys.exit(main())
