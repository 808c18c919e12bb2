"""`python -m drills.local_clouds up`: local clouds that stay up until Ctrl-C, with data that the next run finds again.

Each has its HTTP API and knows the others, in the order in which they are named; `peers.json` tells where they are.
Where there are several, a DNS server has a name that leads to the active one.
Exit status 0 after a clean stop, 1 if a cloud could not start or stop. Other drills import `running` from here.
"""

import argparse
import io
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from drills.among_others import Settings
from drills.local_name import NAME, NameSettings, NoAddressError, has_addresses
from drills.running_clouds import (
    CLOUDS,
    PROJECT_FOLDER,
    CloudsDidNotStartError,
    FolderInUseError,
    RunningCloud,
    running,
)
from drills.supervisor import StartError
from drills.together import Together, running_together
from drills.what_is_real import WHAT_IS_REAL

__all__ = ["CloudsDidNotStartError", "FolderInUseError", "RunningCloud", "main", "running", "variables"]

LOCAL_FOLDER = PROJECT_FOLDER / ".sluice" / "local"
_DAY_S = 86_400
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OF_THE_FUNCTION_ALONE = {"PATH", "HOME", "PYTHON_THREADPOOL_THREAD_COUNT"}


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        name_settings = NameSettings(
            interval_s=options.dns_interval_s, threshold_count=options.dns_threshold, ttl_s=options.dns_ttl_s
        )
        up(options.cloud, options.folder, as_json=options.json, name_settings=name_settings)
    except (FolderInUseError, CloudsDidNotStartError, NoAddressError, StartError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def up(clouds: Sequence[str], folder: Path, *, as_json: bool, name_settings: NameSettings) -> None:
    """Keep the clouds up until a signal comes. One that comes while they start is obeyed once they have started."""
    files: list[Path] = []
    is_named = len(clouds) > 1 and has_addresses(len(clouds))

    def tell(cloud: RunningCloud) -> None:
        files.append(write_environment(cloud))
        print(json.dumps(describe(cloud)) if as_json else _text(cloud), flush=True)

    try:
        settings = Settings(copies=2)  # or 1, where there is but one
        started = running_together(
            clouds, folder, settings=settings, on_ready=tell, name_settings=name_settings if is_named else None
        )
        with _stop_asked() as wait_for_stop, started as together:
            print(_ending(together), file=sys.stderr, flush=True)
            wait_for_stop()
            print("Stopping …", file=sys.stderr, flush=True)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def variables(cloud: RunningCloud) -> dict[str, str]:
    """What `sls put|ledger|parked|redrive` and the vendor's own tools need to know to work on this cloud."""
    found = {name: value for name, value in cloud.local.environment.items() if name not in _OF_THE_FUNCTION_ALONE}
    if cloud.name == "azure":
        found["AZURE_STORAGE_CONNECTION_STRING"] = found["SLUICE_STORAGE"]  # so do `az storage` and the SDKs call it
    return found | {"SLUICE_LOCAL_DIR": ""}  # empty: not the embedded store


def write_environment(cloud: RunningCloud) -> Path:
    """Write the variables for a shell, readable by their owner alone: they hold the emulators' keys."""
    path = cloud.folder / "environment"
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={shlex.quote(value) if value else ''}\n" for name, value in variables(cloud).items())
    return path


def describe(cloud: RunningCloud) -> dict[str, Any]:
    """One line of `--json`."""
    return {
        "cloud": cloud.name,
        "start_up_s": round(cloud.start_up_s, 2),
        "bucket": cloud.local.bucket,
        "endpoints": cloud.local.endpoints,
        "environment": variables(cloud),
        "environment_file": str(cloud.folder / "environment"),
        "folder": str(cloud.folder),
        "what_is_real": WHAT_IS_REAL[cloud.name],
    }


def _text(cloud: RunningCloud) -> str:
    where: Mapping[str, str] = {
        "bucket": cloud.local.bucket,
        **cloud.local.endpoints,
        "data and logs": _shown(cloud.folder),
        "variables": _shown(cloud.folder / "environment"),
    }
    width = max(map(len, where))
    places = "\n".join(f"  {name:{width}}  {place}" for name, place in where.items())
    source = f"set -a; . {shlex.quote(_shown(cloud.folder / 'environment'))}; set +a"
    return (
        f"{cloud.name} is up, after {cloud.start_up_s:.1f} s.\n{places}\n\n{WHAT_IS_REAL[cloud.name]}\n"
        f"  {source}\n  npx sls put README.md --cloud {cloud.name}; npx sls ledger --cloud {cloud.name}\n"
    )


def _ending(together: Together) -> str:
    """What can be done with the clouds together."""
    order = ", ".join(together.clouds)
    return (
        f"The HTTP APIs are up, in this order: {order}. {_shown(together.peers_file)} says where, and has the keys.\n"
        "  npx sls upload README.md; npx sls failover status\n"
        f"{_name_text(together)}Ctrl-C stops."
    )


def _name_text(together: Together) -> str:
    """The name, and how to ask it; "" for one cloud, which needs none."""
    name = together.name
    if name is None:
        missing = f"{NAME} is not served: this machine has no addresses 127.0.0.11 and on (docs/local-clouds.md).\n"
        return missing if len(together.clouds) > 1 else ""
    places = ", ".join(f"{address} = {cloud}" for cloud, address in name.addresses.items())
    return (
        f"{NAME} leads to the active cloud ({places}; all at port {name.api_port}),\n"
        f"after a switch within {name.switch_limit_s:g} s (drills/dns stands in for Route 53):\n{name.how_to_ask()}\n"
    )


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


@contextmanager
def _stop_asked() -> Iterator[Any]:
    """Give a function that waits for a signal. A pipe, because a handler may not touch what its thread has locked."""
    reading, writing = os.pipe()
    before = {number: signal.signal(number, lambda *_: os.write(writing, b".") and None) for number in _STOP_SIGNALS}
    try:
        yield lambda: os.read(reading, 1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def _cloud_list(text: str) -> list[str]:
    clouds = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in clouds if name not in CLOUDS]
    if unknown or not clouds:
        raise argparse.ArgumentTypeError(f"no such cloud: {', '.join(unknown) or text!r}; {', '.join(CLOUDS)}")
    return clouds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drills.local_clouds", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = commands.add_parser("up", help="start local clouds side by side, and stay until Ctrl-C")
    command.add_argument(
        "--cloud", type=_cloud_list, default=list(CLOUDS), metavar="LIST", help="comma-separated (default: all)"
    )
    command.add_argument(
        "--folder", type=Path, default=LOCAL_FOLDER, help="where the data lives (default: .sluice/local)"
    )
    command.add_argument("--json", action="store_true", help="print a line of JSON for each cloud when it is up")
    _add_name_options(command)
    return parser


def _add_name_options(command: argparse.ArgumentParser) -> None:
    quick = NameSettings()
    group = command.add_argument_group("the name that leads to the active cloud", "Quicker than in a real DNS.")
    group.add_argument(
        "--dns-interval-s",
        type=_between(float, 0.1, _DAY_S),
        default=quick.interval_s,
        metavar="S",
        help="between two health checks of one cloud (default: %(default)g; Route 53, Traffic Manager: 10 or 30)",
    )
    group.add_argument(
        "--dns-threshold",
        type=_between(int, 1, 10),
        default=quick.threshold_count,
        metavar="COUNT",
        help="bad ones in a row that take a cloud away, and good ones back (default: %(default)d, as Route 53)",
    )
    group.add_argument(
        "--dns-ttl-s",
        type=_between(int, 0, _DAY_S),
        default=quick.ttl_s,
        metavar="S",
        help="how long resolvers keep an answer (default: %(default)d; recommended by Route 53: at most 60)",
    )


def _between(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    """Give what reads an option's value, an `int` or `float`."""

    def read(text: str) -> float:
        with suppress(ValueError):
            if least <= (value := kind(text)) <= most:
                return value
        raise argparse.ArgumentTypeError(f"{kind.__name__} from {least:g} to {most:g}, not {text!r}")

    return read


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
