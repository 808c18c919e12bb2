"""`python -m drills.bench`: what one upload costs with the tutorials' handler and with Sluice's, on the same servers.

Each cloud's handlers run in that cloud's own Python runtime, beside each other in one run. Machines are noisy: read the
ratios. Exit status 1 if something could not be measured; it does not depend on the goals.
"""

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from drills.__main__ import DRILLS_FOLDER, PROJECT_FOLDER
from drills.bench import aws, azure, gcp
from drills.bench.big_object import measure_big_object
from drills.bench.core_cpu import measure_core_us
from drills.bench.report import Goal, format_figures, format_goals
from drills.bench.sampling import CONTENT, Bench, measure

OpenBench = Callable[..., AbstractContextManager[Bench]]

ROUND_COUNT = 5
WARM_COUNT = 40
CLOUDS: Mapping[str, tuple[OpenBench, Sequence[Goal]]] = {
    "aws": (aws.open_aws, aws.GOALS),
    "azure": (azure.open_azure, azure.GOALS),
    "gcp": (gcp.open_gcp, gcp.GOALS),
}


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m drills.bench", description=__doc__)
    parser.add_argument("clouds", nargs="*", metavar="CLOUD", help="aws, azure, gcp (default: all, one after another)")
    clouds = parser.parse_args().clouds or list(CLOUDS)
    unknown = set(clouds) - CLOUDS.keys()
    if unknown:
        parser.error(f"no such cloud: {', '.join(sorted(unknown))}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    DRILLS_FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=DRILLS_FOLDER))
    print(
        f"One upload of {len(CONTENT):,} bytes: medians of {ROUND_COUNT} cold starts (from the process's start to its"
        f" first answer), {WARM_COUNT} warm calls each\n"
    )
    were_complete = [_run(cloud, folder / cloud) for cloud in clouds]
    print(f"The core's own CPU on adapters in memory: {measure_core_us():.0f} µs per upload (goal: at most 150)")
    if not all(were_complete):
        print(f"Logs and data: {folder.relative_to(PROJECT_FOLDER)}")
        return 1
    shutil.rmtree(folder)
    return 0


def _run(cloud: str, folder: Path) -> bool:
    """Measure one cloud; returns whether all of it could be measured."""
    open_bench, goals = CLOUDS[cloud]
    try:
        with open_bench(folder, task_root=PROJECT_FOLDER) as bench:
            medians = measure(bench, round_count=ROUND_COUNT, warm_count=WARM_COUNT)
            print(f"{cloud}\n{format_figures(medians)}\n{format_goals(medians, goals)}", flush=True)
            if isinstance(bench, aws.AwsBench):
                print(measure_big_object(bench))
    except RuntimeError as error:  # one cloud's trouble should not cost the others' figures
        print(f"✗ {cloud}: {error}")
        return False
    finally:
        print(flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
