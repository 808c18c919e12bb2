"""`python -m drills.bench`: what one upload costs, with three handlers on the same local servers in one run.

Machines are noisy: read the ratios. Handlers take turns, so that a slow minute hits all of them.
"""

import json
import shutil
import statistics
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.ports import ObjectInfo
from drills.__main__ import DRILLS_FOLDER, PROJECT_FOLDER
from drills.aws.cloud import LocalAws
from drills.aws.declaration import read_declaration
from drills.aws.drilled import DrilledAws
from drills.aws.execution_environment import ExecutionEnvironment
from drills.aws.runtime_api import FunctionError
from drills.bench.big_object import MIB, put_big_object
from drills.bench.core_cpu import measure_core_us
from drills.text_table import format_table
from providers.aws.events import notification_event

ROUND_COUNT = 5
WARM_COUNT = 40
CONTENT = b"%PDF-1.7\n" + b"x" * 4096
HANDLERS = {
    "naive": "drills.bench.naive.handler",
    "powertools": "drills.bench.powertools.handler",
    "sluice": "handlers.aws.process",
}


@dataclass(slots=True)
class Samples:
    """What was measured of one handler."""

    cold_ms: list[float] = field(default_factory=list)
    cold_cpu_ms: list[float] = field(default_factory=list)
    warm_ms: list[float] = field(default_factory=list)

    def medians(self) -> tuple[float, float, float]:
        return tuple(statistics.median(sample) for sample in (self.cold_ms, self.cold_cpu_ms, self.warm_ms))  # type: ignore[return-value]


def main() -> None:
    """Measure and print."""
    DRILLS_FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=DRILLS_FOLDER))
    declared = replace(read_declaration(PROJECT_FOLDER), timeout_s=600)
    with LocalAws(declared, folder=folder, task_root=PROJECT_FOLDER) as aws:
        aws.mapping.stop()  # the benchmark invokes the handlers itself
        aws.environment["BENCH_CLAIMS_TABLE"] = _create_claims_table(aws)
        print(
            f"One upload of {len(CONTENT):,} bytes: medians of {ROUND_COUNT} cold starts, {WARM_COUNT} warm calls each"
        )
        print(_compare(_measure(aws, folder)))
        print(f"\nThe core's own CPU on adapters in memory: {measure_core_us():.0f} µs per upload (goal: at most 150)")
        print(_measure_big_object(aws, folder))
    shutil.rmtree(folder)


def _measure(aws: LocalAws, folder: Path) -> dict[str, Samples]:
    samples = {name: Samples() for name in HANDLERS}
    for round_number in range(ROUND_COUNT + 1):
        for name, handler in HANDLERS.items():
            label = f"{name}-{round_number}"
            environment = _new_environment(aws, handler, label, folder)
            try:
                # The first round only warms the machine's disk cache and the servers.
                _sample(aws, environment, label, samples[name] if round_number else Samples())
            finally:
                environment.close()
    return samples


def _new_environment(aws: LocalAws, handler: str, name: str, folder: Path) -> ExecutionEnvironment:
    settings = replace(aws.function.settings, handler=handler, environment=aws.environment)
    return ExecutionEnvironment(settings, name=name, log_folder=folder / "bench")


def _sample(aws: LocalAws, environment: ExecutionEnvironment, label: str, into: Samples) -> None:
    into.cold_ms.append(_invoke(aws, environment, f"{label}/cold"))
    into.cold_cpu_ms.append((environment.cpu_s or 0) * 1000)
    into.warm_ms += [_invoke(aws, environment, f"{label}/{number}") for number in range(WARM_COUNT)]


def _invoke(aws: LocalAws, environment: ExecutionEnvironment, key: str) -> float:
    """Put an object, hand its event to the handler, and return how long that took, in ms."""
    version = aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=CONTENT)["VersionId"]
    return _handle(aws, environment, ObjectInfo(key=key, version=version, size_bytes=len(CONTENT)))


def _handle(aws: LocalAws, environment: ExecutionEnvironment, info: ObjectInfo) -> float:
    result = environment.invoke(json.dumps(notification_event(info, bucket=aws.bucket)).encode())
    if isinstance(result.outcome, FunctionError) or json.loads(result.outcome) not in (None, {"batchItemFailures": []}):
        raise RuntimeError(f"{info.key} failed, so its time means nothing: {result.outcome!r}")
    return result.elapsed_ms


def _compare(samples: dict[str, Samples]) -> str:
    base = samples["naive"].medians()
    rows = [("handler", "cold ms", "ratio", "cold CPU ms", "ratio", "warm ms", "ratio")]
    for name, sample in samples.items():
        cells = [
            text
            for value, of in zip(sample.medians(), base, strict=True)
            for text in (f"{value:.1f}", f"{value / of:.2f}")
        ]
        rows.append((name, *cells))  # type: ignore[arg-type]
    warm = {name: sample.medians()[2] for name, sample in samples.items()}
    table = format_table(rows, right_aligned=frozenset(range(1, 7)))
    against_powertools = warm["sluice"] / warm["powertools"]
    return (
        f"{table}\nGoals for sluice: at most 1.00 each; warm against powertools at most 0.60: {against_powertools:.2f}"
    )


def _measure_big_object(aws: LocalAws, folder: Path) -> str:
    environment = _new_environment(aws, HANDLERS["sluice"], "big", folder)
    try:
        _invoke(aws, environment, "big/before")
        before_bytes = environment.peak_rss_bytes or 0
        info, sha256 = put_big_object(aws, key="big/object")
        took_ms = _handle(aws, environment, info)
        grown_bytes = (environment.peak_rss_bytes or 0) - before_bytes
    finally:
        environment.close()
    if sha256 not in {row.get("sha256") for row in DrilledAws(aws).scan()}:
        raise RuntimeError("the big object was not recorded right")
    return (
        f"An object of {info.size_bytes / MIB / 1024:.1f} GiB: recorded in {took_ms / 1000:.1f} s,"
        f" the worker's memory grew by {grown_bytes / MIB:.0f} MiB (goal: at most 64)"
    )


def _create_claims_table(aws: LocalAws) -> str:
    aws.dynamodb.create_table(
        TableName="bench-claims",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "bench-claims"


if __name__ == "__main__":
    main()
