"""The local clouds of a drill, with the name in front of them and a standby that drains: started together.

clients ──name──> DNS server ──> 127.0.0.x of the active cloud        short waits everywhere, so that minutes suffice
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from drills.among_others import Settings
from drills.failover.addresses import addresses_for
from drills.failover.name_client import NameClient
from drills.failover.scenario import FaultName, Scenario
from drills.running_clouds import PROJECT_FOLDER, Waits
from drills.supervisor import SupervisedProcess, answers_http, pick_free_port
from drills.together import Together, running_together

FAIL_COUNT = 2
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
_DRAINED = (FaultName.FUNCTIONS_DEAD, FaultName.BAD_DEPLOY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the drill runs in.

    Attributes:
        name: Resolves the name.
        clouds_of: Cloud by the address that the name stands for.
        port: Of every API at those addresses.
        drains: Of each cloud whose queue a standby stands by to drain, that process.
    """

    together: Together
    name: NameClient
    dns_admin_port: int
    clouds_of: dict[str, str]
    port: int
    drains: dict[str, SupervisedProcess]


@contextmanager
def started(scenario: Scenario, folder: Path) -> Iterator[Surroundings]:
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
        drains = {cloud: running.enter_context(_drain(together, cloud)) for cloud in _drained_clouds(scenario)}
        yield Surroundings(
            together=together,
            name=NameClient("ingest.drill.test.", port=dns_port),
            dns_admin_port=admin_port,
            clouds_of={address: cloud for cloud, address in addresses.items()},
            port=port,
            drains=drains,
        )


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
        ["drills.failover.draining", *options],
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
