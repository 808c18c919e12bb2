"""The local clouds of a drill, with the name in front of them and a standby that drains: started together.

clients ──name──> DNS server ──> 127.0.0.x of the active cloud        short waits everywhere, so that minutes suffice
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from drills.among_others import Settings
from drills.failover.addresses import addresses_for
from drills.failover.faults.local import made_fault
from drills.failover.load.bucket_clients import PutObject, put_into
from drills.failover.load.clients import NameRoad
from drills.failover.load.name_client import NameClient
from drills.failover.scenario import FaultName, Scenario, Target
from drills.failover.scene import LookFailedError, Pace, Scene
from drills.failover.verdict.agreement import read_ledgers
from drills.failover.verdict.control_rows import (
    READ_ERRORS,
    CastVote,
    HeldRoute,
    ReadRow,
    read_route,
    read_vote,
    row_reader,
)
from drills.running_clouds import PROJECT_FOLDER, Waits
from drills.supervisor import LOOPBACK, SupervisedProcess, answers_http, pick_free_port
from drills.together import Together, running_together
from drills.what_is_real import WHAT_IS_REAL

FAIL_COUNT = 2
_PACE = Pace(control_s=0.25, ledgers_s=0.5, fail_count=FAIL_COUNT)
WATCH_OPTIONS = {
    "--every-s": "1",
    "--fail-count": str(FAIL_COUNT),
    "--recover-count": "3",
    "--cool-down-s": "5",
    "--pull-every": "2",
}
DNS_NUMBERS = {
    "ttl_s": 1,
    "interval_s": 0.5,
    "threshold_count": 2,
    "recovery_count": 2,
    "connect_timeout_s": 0.5,
    "answer_timeout_s": 1.0,
}
_WAITS = Waits(function_timeout_s=10, hidden_s=12, longest_backoff_s=2.0)
_DNS_START_S = 15.0
_DRAINED = (FaultName.FUNCTIONS_DEAD, FaultName.BAD_DEPLOY, FaultName.CONCURRENCY_0)


@contextmanager
def started(scenario: Scenario, folder: Path) -> Iterator[Scene]:
    """Start all, and stop all.

    Raises:
        CloudsDidNotStartError, StartError: Something did not start.
    """
    settings = Settings(
        copies=scenario.copies,
        takeover_after_s=5,
        peer_timeout_s=2,
        lease_margin_s=2,
        probe_every_s=3,
        function_stale_s=10,
    )
    options = [text for pair in WATCH_OPTIONS.items() for text in pair]
    with ExitStack() as running:
        together = running.enter_context(
            running_together(
                scenario.clouds,
                folder,
                settings=settings,
                watch_options=options,
                keeps_objects=False,
                waits=_WAITS,
            )
        )
        ports = {cloud: door.api.port for cloud, door in together.doors.items()}
        addresses, port = running.enter_context(addresses_for(ports))
        dns_port, admin_port = pick_free_port(), pick_free_port()
        dns = running.enter_context(_dns_server(folder, addresses, port, dns_port, admin_port))
        dns.wait_ready(lambda: answers_http(admin_port, "/status"), timeout_s=_DNS_START_S)
        drains = [running.enter_context(_drain(together, cloud)) for cloud in _drained_clouds(scenario)]
        readers = {cloud: row_reader(each.local) for cloud, each in together.clouds.items()}
        name = NameClient("ingest.drill.test.", port=dns_port)
        clouds_of = {address: cloud for cloud, address in addresses.items()}
        yield Scene(
            target=Target.LOCAL,
            urls=together.urls,
            api_key=settings.api_key,
            peers_file=together.peers_file,
            make_name_road=lambda patience: NameRoad(name, clouds_of, port=port, patience=patience),
            puts={cloud: partial(_make_put, together, cloud) for cloud in scenario.clouds},
            looks={cloud: partial(_look, read) for cloud, read in readers.items()},
            read_ledgers=lambda: read_ledgers(together),
            make_fault=lambda fault: made_fault(together, fault, seed=scenario.seed),
            pace=_PACE,
            name_status_url=f"http://{LOOPBACK}:{admin_port}/status",
            drain_logs=tuple(each.log_path for each in drains),
            log_folders={cloud: folder / cloud for cloud in scenario.clouds},
            what_is_real=WHAT_IS_REAL,
        )


def _make_put(together: Together, cloud: str, timeout_s: float) -> PutObject:
    return put_into(together, cloud, timeout_s=timeout_s)


def _look(read: ReadRow) -> tuple[HeldRoute | None, CastVote | None]:
    try:
        return read_route(read), read_vote(read)
    except READ_ERRORS as error:
        raise LookFailedError(str(error)) from error


def _drained_clouds(scenario: Scenario) -> Sequence[str]:
    return list(dict.fromkeys(each.cloud for each in scenario.faults if each.fault in _DRAINED))


def _dns_server(
    folder: Path, addresses: dict[str, str], port: int, dns_port: int, admin_port: int
) -> SupervisedProcess:
    config = folder / "dns.json"
    config.write_text(
        json.dumps({"zone": "drill.test.", "name": "ingest", "targets": addresses, "port": port, **DNS_NUMBERS})
    )
    where = ["--port", str(dns_port), "--admin-port", str(admin_port), "--config", str(config)]
    return _process(["drills.dns.server", *where], name="dns", folder=folder, environment={})


def _drain(together: Together, cloud: str) -> SupervisedProcess:
    """Only this process holds that cloud's permissions beside its own functions."""
    options = ["--from", cloud, "--peers", str(together.peers_file), "--fail-count", str(FAIL_COUNT)]
    return _process(
        ["drills.failover.faults.draining", *options],
        name=f"drain-{cloud}",
        folder=together.peers_file.parent,
        environment=together.clouds[cloud].local.environment,
    )


def _process(module: Sequence[str], *, name: str, folder: Path, environment: dict[str, str]) -> SupervisedProcess:
    paths = {"PATH": os.defpath, "PYTHONPATH": str(PROJECT_FOLDER)}
    return SupervisedProcess(
        [sys.executable, "-m", *module],
        name=name,
        environment={**environment, **paths},
        folder=folder,
        log_path=folder / f"{name}.log",
    )
