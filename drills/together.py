"""Local clouds that work together: each with its HTTP API, its doors for faults, and a process that watches the others.

with running_together(["aws", "gcp", "azure"], folder) as together:
    together.doors["aws"].fail(Fault(kind=FaultKind.REFUSE), together.doors["aws"].ledger)
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from drills.among_others import Doors, Settings, open_doors, written_peers
from drills.local_name import LocalName, NameSettings, named
from drills.running_clouds import PROJECT_FOLDER, RunningCloud, Waits, running
from drills.supervisor import SupervisedProcess, answers_http
from drills.waiting import wait_until

_API_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """The clouds, by name.

    Attributes:
        watches: Of each cloud, the process that watches from there.
        peers_file: Where the operator's commands and clients find the clouds.
        name: That leads to the active cloud, if there shall be one.
    """

    clouds: Mapping[str, RunningCloud]
    doors: Mapping[str, Doors]
    watches: Mapping[str, SupervisedProcess]
    settings: Settings
    peers_file: Path
    name: LocalName | None = None

    @property
    def urls(self) -> dict[str, str]:
        """Of each cloud's API."""
        return {cloud: doors.api.url for cloud, doors in self.doors.items()}


@contextmanager
def running_together(
    clouds: Sequence[str],
    folder: Path,
    *,
    settings: Settings | None = None,
    watch_options: Sequence[str] = (),
    keeps_objects: bool = True,
    on_ready: Callable[[RunningCloud], None] = lambda _: None,
    waits: Waits | None = None,
    name_settings: NameSettings | None = None,
) -> Iterator[Together]:
    """Start them all, the preferred one named first, and stop them. As `drills.running_clouds.running`.

    Args:
        watch_options: For `python -m handlers.watch`; without any, it watches every five seconds.
        name_settings: Of the name that leads to the active cloud; None: no name.

    Raises:
        FolderInUseError, CloudsDidNotStartError: As there.
        NoAddressError, StartError: The name cannot be had (drills/local_name.py).
    """
    chosen = settings or Settings()
    peers_file = folder / "peers.json"
    with open_doors(clouds, chosen) as neighbours, ExitStack() as watching:
        doors = {cloud: each.doors for cloud, each in neighbours.items()}
        started = running(
            clouds, folder, keeps_objects=keeps_objects, on_ready=on_ready, neighbours=neighbours, waits=waits
        )
        with started as local:
            try:
                for cloud in clouds:
                    _await_api(cloud, doors[cloud])
                watches = {cloud: _watch_from(local[cloud], watch_options) for cloud in clouds if len(clouds) > 1}
                for watch in watches.values():
                    watching.enter_context(watch)
                apis = {cloud: each.api for cloud, each in doors.items()}
                name = watching.enter_context(named(apis, folder, name_settings)) if name_settings else None
                with written_peers(peers_file, neighbours, chosen, dns=name.told() if name else None):
                    yield Together(
                        clouds=local, doors=doors, watches=watches, settings=chosen, peers_file=peers_file, name=name
                    )
            finally:
                watching.close()
                for each in doors.values():
                    each.heal()


def _await_api(cloud: str, doors: Doors) -> None:
    """Wait for the first answer, for which a function has to start."""
    wait_until(
        lambda: answers_http(doors.api.port, "/v1/openapi.json"), timeout_s=_API_TIMEOUT_S, what=f"the API of {cloud}"
    )


def _watch_from(cloud: RunningCloud, options: Sequence[str]) -> SupervisedProcess:
    paths = {"PATH": os.defpath, "PYTHONPATH": str(PROJECT_FOLDER)}
    return SupervisedProcess(
        [sys.executable, "-m", "handlers.watch", "--cloud", cloud.name, "--every-s", "5", *options],
        name=f"watch from {cloud.name}",
        environment={**cloud.local.environment, **paths},
        folder=cloud.folder,
        log_path=cloud.folder / "watch.log",
    )
