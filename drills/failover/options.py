"""The options of `python -m drills.failover`."""

import argparse
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from drills.failover.report.compare import DEFAULT_WORSE_SHARE
from drills.failover.scenario import CLOUDS, Target

_GOOGLE_SERVICE = re.compile(r"projects/[\w.:-]+/locations/[\w-]+/services/[\w-]+", re.ASCII)
_SHARE_MAX = 1000.0
_ROUNDS_MAX_COUNT = 360


def parse_options(arguments: Sequence[str], *, default: str, reports: Path) -> argparse.Namespace:
    """Read the command line; ends the program with status 2 if it makes no sense.

    Args:
        default: The scenario that is played when none is named.
        reports: Where reports go unless told otherwise.
    """
    parser = argparse.ArgumentParser(
        prog="python -m drills.failover",
        description="Rehearse failovers under load, and judge what became of every upload.",
    )
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"a name of --list, or a .yml file (default: {default})"
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument(
        "--all", action="store_true", help="play all of our own that can be played, one after the other"
    )
    parser.add_argument(
        "--rounds",
        type=_between(int, 1, _ROUNDS_MAX_COUNT),
        default=1,
        metavar="COUNT",
        help="play the time line so many times under one load, as for a longer soak (default: %(default)d)",
    )
    parser.add_argument("--json", action="store_true", help="print each report as one line of JSON")
    parser.add_argument(
        "--report",
        type=Path,
        default=reports,
        metavar="DIR",
        help="where reports go, each in a folder of its own (default: .sluice/drills/reports)",
    )
    _add_comparing(parser.add_argument_group("earlier reports"))
    _add_deployed(parser.add_argument_group("deployed clouds (--target deployed)"))
    return parser.parse_args(arguments)


def _add_comparing(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--compare", nargs="+", type=Path, metavar="FILE", help="show earlier reports side by side, the newest last"
    )
    group.add_argument(
        "--worse-share",
        type=_between(float, 0, _SHARE_MAX),
        default=DEFAULT_WORSE_SHARE,
        metavar="SHARE",
        help="how much worse a figure may be: 0.2 is a fifth (default: %(default)g)",
    )
    group.add_argument("--compare-html", type=Path, metavar="FILE", help="also write the comparison as a page")


def _add_deployed(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--target", type=Target, choices=list(Target), default=Target.LOCAL, help="default: %(default)s")
    group.add_argument("--peers", type=Path, metavar="FILE", help="where the clouds are (docs/operations.md)")
    group.add_argument("--yes", action="store_true", help="go ahead; without it only the plan is shown")
    group.add_argument("--name-url", default="", metavar="URL", help="that leads to the active cloud")
    group.add_argument(
        "--bucket",
        action="append",
        type=_bucket,
        default=[],
        metavar="CLOUD=NAME",
        help="a bucket to put into straight, with the vendor's usual credentials; may be repeated",
    )
    group.add_argument(
        "--aws-functions",
        default="sluice-dev",
        metavar="PREFIX",
        help="what the names of the functions on AWS begin with: service and stage (default: %(default)s)",
    )
    group.add_argument(
        "--google-service",
        default="",
        metavar="NAME",
        help="the Cloud Run service of `process`: projects/P/locations/L/services/S",
        type=_google_service,
    )
    group.add_argument(
        "--slower",
        type=_between(float, 0.1, 60),
        default=5.0,
        metavar="FACTOR",
        help="how much longer faults and phases are than on local clouds, as all waits are (default: %(default)g)",
    )


def _bucket(text: str) -> tuple[str, str]:
    cloud, _, name = text.partition("=")
    if cloud not in CLOUDS or not name:
        raise argparse.ArgumentTypeError(f"CLOUD=NAME with one of {', '.join(CLOUDS)}, not {text!r}")
    return cloud, name


def _google_service(text: str) -> str:
    if text and not _GOOGLE_SERVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"projects/P/locations/L/services/S, not {text!r}")
    return text


def _between(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    """Give what reads an option's value, an `int` or `float`."""

    def read(text: str) -> float:
        with suppress(ValueError):
            if least <= (value := kind(text)) <= most:
                return value
        raise argparse.ArgumentTypeError(f"{kind.__name__} from {least:g} to {most:g}, not {text!r}")

    return read
