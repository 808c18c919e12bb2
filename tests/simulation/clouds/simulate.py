"""Runs seeded schedules of three clouds, or one of them again with its trace.

python -m tests.simulation.clouds.simulate --seeds 20000        python -m tests.simulation.clouds.simulate --seed 123
"""

import argparse
import logging
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation.clouds.chance import Chaos
from tests.simulation.clouds.checks import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What many schedules came to. `again_count`: calls of the user's function beyond the first for an upload."""

    schedule_count: int
    upload_count: int
    call_count: int
    again_count: int
    duration_s: float

    def __str__(self) -> str:
        return (
            f"{self.schedule_count:,} schedules in {self.duration_s:.1f} s "
            f"({self.schedule_count / self.duration_s:,.0f} schedules/s): {self.upload_count:,} uploads, handled "
            f"{self.call_count:,} times, {self.again_count:,} of them more than once"
        )


def run_many(seeds: Iterable[int], *, stop_after_s: float | None = None) -> Summary:
    """Run schedules until the seeds or the time run out.

    Raises:
        Violation: Names the seed.
    """
    started_s = time.perf_counter()
    schedule_count = upload_count = call_count = again_count = 0
    for seed in seeds:
        checks = Chaos(seed).run().checks
        schedule_count += 1
        upload_count += len(checks.sent)
        call_count += checks.calls.total()
        again_count += checks.calls.total() - len(checks.calls)
        if stop_after_s is not None and time.perf_counter() - started_s > stop_after_s:
            break
    return Summary(
        schedule_count=schedule_count,
        upload_count=upload_count,
        call_count=call_count,
        again_count=again_count,
        duration_s=time.perf_counter() - started_s,
    )


def replay(seed: int) -> int:
    """Run one schedule and print its trace. Returns the exit status."""
    chaos = Chaos(seed)
    try:
        chaos.run()
        verdict = ""
    except Violation as violation:
        verdict = str(violation)
    print("\n".join(chaos.world.trace))
    print(verdict or f"SEED={seed}: all is well in the end")
    return 1 if verdict else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many schedules (default: 10000)")
    parser.add_argument("--seed", type=int, help="run this one again and print its trace")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.seed is not None:
        return replay(options.seed)
    try:
        print(run_many(range(options.seeds)))
    except Violation as violation:
        print(f"{violation}\nOnce more, with its trace: make simulate {str(violation).split(':')[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
