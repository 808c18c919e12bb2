"""Local clouds side by side, each in a folder of its own, where a later run finds what an earlier one has left.

with running(["aws", "gcp"], folder) as clouds:
    clouds["gcp"].local.hold_back()
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from drills.among_others import AmongOthers
from drills.aws.cloud import LocalAws
from drills.aws.declaration import Declaration, read_declaration
from drills.aws.drilled import DrilledAws
from drills.azure.cloud import LocalAzure
from drills.azure.drilled import DrilledAzure
from drills.azure.functions_host import REAL_LOCK_S
from drills.gcp.cloud import FunctionSettings, LocalGcp
from drills.gcp.drilled import DrilledGcp
from drills.supervisor import StartError, locked_while_processes_are_left, log_tail
from drills.upload_drill import DrilledCloud
from drills.waiting import wait_until

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
CLOUDS = ("aws", "azure", "gcp")
_LEFT_SERVERS_TIMEOUT_S = 10.0  # `drills.leash` gives them three seconds

Local = LocalAws | LocalAzure | LocalGcp


class FolderInUseError(Exception):
    """Another process runs this cloud in this folder."""


class CloudsDidNotStartError(Exception):
    """The message names each cloud that did not, says why, and ends with the last lines of a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long what fails takes to be tried again, where that shall be other than in a deployment.

    Attributes:
        function_timeout_s: Of a call of `process`.
        hidden_s: Until a message comes back whose worker said nothing; at least 10, and longer than the timeout.
        longest_backoff_s: Of the queue that pushes (Pub/Sub); it begins with a fifth of that.
    """

    function_timeout_s: int
    hidden_s: int
    longest_backoff_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCloud:
    """A cloud that works.

    Attributes:
        folder: Its data and its logs.
        start_up_s: From nothing until it took uploads; for AWS with reading the deployment's declaration.
    """

    name: str
    local: Local
    folder: Path
    start_up_s: float

    @property
    def drilled(self) -> DrilledCloud:
        """How a drill puts files into it and reads its ledger."""
        match self.local:
            case LocalAws():
                return DrilledAws(self.local)
            case LocalAzure():
                return DrilledAzure(self.local)
            case LocalGcp():
                return DrilledGcp(self.local)


@contextmanager
def running(
    clouds: Sequence[str],
    folder: Path,
    *,
    keeps_objects: bool = True,
    on_ready: Callable[[RunningCloud], None] = lambda _: None,
    neighbours: Mapping[str, AmongOthers] | None = None,
    waits: Waits | None = None,
) -> Iterator[Mapping[str, RunningCloud]]:
    """Start these clouds at once, give them by name, and stop them.

    Args:
        folder: Cloud x lives in its folder `x`.
        keeps_objects: Also Google's bucket, which is in memory, is written to disk at the end.
        on_ready: Called for each as soon as it works, on the caller's thread.
        neighbours: Of each cloud, where they know of each other (`drills.together` makes them).
        waits: None: as deployed.

    Raises:
        FolderInUseError: Nothing was started.
        CloudsDidNotStartError: At least one; the others were stopped.
    """
    with ExitStack() as locks, ThreadPoolExecutor(len(clouds)) as pool:
        for cloud in clouds:
            locks.enter_context(_locked(folder / cloud))
        among = neighbours or {}
        starts = {
            cloud: pool.submit(_start, cloud, folder / cloud, keeps_objects, among.get(cloud), waits)
            for cloud in clouds
        }
        try:
            for start in as_completed(starts.values()):
                if start.exception() is None:
                    on_ready(start.result())
            _require_all(starts, folder)
            yield {cloud: start.result() for cloud, start in starts.items()}
        finally:
            wait(starts.values())
            stops = [pool.submit(start.result().local.stop) for start in starts.values() if start.exception() is None]
            wait(stops)
            for stop in stops:
                stop.result()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the operating system lets go of it, however this process ends.

    After a kill its servers are still writing their data for a moment: a second lock says until when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock, (folder / "servers.lock").open("a") as servers:
        if not _takes(lock):
            lock.seek(0)
            raise FolderInUseError(f"{folder} is in use: process {lock.read().strip()} runs there")
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        wait_until(lambda: _takes(servers), timeout_s=_LEFT_SERVERS_TIMEOUT_S, what="an earlier run's servers are gone")
        fcntl.flock(servers, fcntl.LOCK_UN)
        with locked_while_processes_are_left(folder / "servers.lock"):
            yield


def _takes(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(
    cloud: str, folder: Path, keeps_objects: bool, among: AmongOthers | None, waits: Waits | None
) -> RunningCloud:
    started_s = time.monotonic()
    local = _describe(cloud, folder, keeps_objects, among, waits)
    local.start()
    return RunningCloud(name=cloud, local=local, folder=folder, start_up_s=time.monotonic() - started_s)


def _describe(cloud: str, folder: Path, keeps_objects: bool, among: AmongOthers | None, waits: Waits | None) -> Local:
    match cloud:
        case "aws":
            declaration = _sized_for_this_machine(read_declaration(PROJECT_FOLDER))
            if waits is not None:
                declaration = declaration.with_visibility_timeout(waits.hidden_s)
                declaration = replace(declaration, timeout_s=waits.function_timeout_s)
            return LocalAws(declaration, folder=folder, task_root=PROJECT_FOLDER, among=among)
        case "azure":
            timeout_s, lock_s = (waits.function_timeout_s, waits.hidden_s) if waits else (60, REAL_LOCK_S)
            return LocalAzure(folder=folder, task_root=PROJECT_FOLDER, timeout_s=timeout_s, lock_s=lock_s, among=among)
        case "gcp":
            settings = FunctionSettings() if waits is None else _gcp_settings(waits)
            return LocalGcp(settings, folder=folder, task_root=PROJECT_FOLDER, keeps_objects=keeps_objects, among=among)
        case _:
            raise ValueError(f"there is no cloud {cloud!r}; there are: {', '.join(CLOUDS)}")


def _gcp_settings(waits: Waits) -> FunctionSettings:
    return FunctionSettings(
        timeout_s=waits.function_timeout_s,
        ack_deadline_s=waits.hidden_s,
        shortest_backoff_s=waits.longest_backoff_s / 5,
        longest_backoff_s=waits.longest_backoff_s,
    )


def _sized_for_this_machine(declaration: Declaration) -> Declaration:
    """Allow two concurrent invocations per processor; more would only wait for each other."""
    machine_concurrency = 2 * (os.cpu_count() or 1)
    return replace(declaration, maximum_concurrency=min(declaration.maximum_concurrency, machine_concurrency))


def _require_all(starts: Mapping[str, Future[RunningCloud]], folder: Path) -> None:
    errors = {cloud: error for cloud, start in starts.items() if (error := start.exception()) is not None}
    if errors:
        reasons = [_reason(cloud, error, folder / cloud) for cloud, error in errors.items()]
        raise CloudsDidNotStartError("\n".join(reasons)) from next(iter(errors.values()))


def _reason(cloud: str, error: BaseException, folder: Path) -> str:
    reason = f"{cloud} did not start: {type(error).__name__}: {error}"
    logs = sorted(folder.rglob("*.log"), key=lambda log: log.stat().st_mtime)
    if isinstance(error, StartError) or not logs:
        return reason  # it ends with its own log
    return f"{reason}\n{log_tail(logs[-1])}"
