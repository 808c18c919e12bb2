"""`python -m drills.failover [SCENARIO…]`: rehearses failovers on local clouds, under load, and judges them.

Without a scenario: cloud-outage. Exit status 0: every drill passed; 1: one failed, or could not be run; 2: misused.
"""

import argparse
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drills.failover import compare, html_report
from drills.failover.drill import run_drill
from drills.failover.history import save_history
from drills.failover.judge import judge
from drills.failover.live_view import LiveView, Progress, is_live_terminal
from drills.failover.printing import Reporter, format_report
from drills.failover.scenario import Scenario
from drills.failover.scenario_file import ScenarioError, find_scenario, read_scenario, scenario_paths
from drills.running_clouds import PROJECT_FOLDER, CloudsDidNotStartError
from drills.supervisor import StartError
from drills.text_table import format_table

DEFAULT = "cloud-outage"
_SHARE_MAX = 1000.0
DRILLS_FOLDER = PROJECT_FOLDER / ".sluice" / "drills"


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; return the exit status."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        if options.list:
            print(_listing())
            return 0
        if options.compare:
            return compare.main(options.compare, worse_share=options.worse_share, html_path=options.compare_html)
        scenarios = [find_scenario(name) for name in options.scenarios or [DEFAULT]]
    except ScenarioError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    try:
        passed = [_run(scenario, options.report, as_json=options.json) for scenario in scenarios]
    except KeyboardInterrupt:
        print("stopped; what was running is not judged", file=sys.stderr)
        return 130
    return 0 if all(passed) else 1


def _run(scenario: Scenario, folder: Path, *, as_json: bool) -> bool:
    """Run and judge one scenario, and write its report. Whether it passed."""
    DRILLS_FOLDER.mkdir(parents=True, exist_ok=True)
    clouds_folder = Path(tempfile.mkdtemp(prefix=f"{scenario.name}-", dir=DRILLS_FOLDER))
    try:
        with _shown_live(scenario) as reporter:
            history = run_drill(scenario, clouds_folder, say=reporter.say, on_sent=reporter.count)
    except (CloudsDidNotStartError, StartError, TimeoutError) as error:
        print(f"Error: {scenario.name} could not be run: {error}\nLogs: {_shown(clouds_folder)}", file=sys.stderr)
        return False
    report = judge(history)
    stamp = datetime.fromtimestamp(history.started_at_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    target = folder / f"{scenario.name}-{stamp}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    save_history(history, target / "history.json")
    html_report.write(report, target / "report.html")
    print(json.dumps(report, ensure_ascii=False) if as_json else format_report(report), flush=True)
    print(f"Report: {_shown(target / 'report.html')}", file=sys.stderr)
    return _clean_up(report, clouds_folder)


def _shown_live(scenario: Scenario) -> AbstractContextManager[LiveView | Reporter]:
    """A live view in a terminal, else plain lines."""
    if not is_live_terminal(sys.stderr):
        return nullcontext(Reporter(out=sys.stderr))
    durations = scenario.durations
    length_s = durations.before_s + scenario.lasts_s + durations.after_s
    return LiveView(out=sys.stderr, progress=Progress(name=scenario.name, clouds=scenario.clouds, length_s=length_s))


def _clean_up(report: dict[str, Any], clouds_folder: Path) -> bool:
    """Keep the clouds' data and logs of a drill that failed."""
    if report["verdict"] == "passed":
        shutil.rmtree(clouds_folder)
        return True
    print(f"Logs and data: {_shown(clouds_folder)}", file=sys.stderr)
    return False


def _listing() -> str:
    scenarios = [read_scenario(path) for path in scenario_paths().values()]
    return format_table([(each.name, each.title) for each in scenarios])


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drills.failover", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"a name of --list, or a .yml file (default: {DEFAULT})"
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--json", action="store_true", help="print each report as one line of JSON")
    parser.add_argument(
        "--report",
        type=Path,
        default=DRILLS_FOLDER / "reports",
        metavar="DIR",
        help="where reports go, each in a folder of its own (default: .sluice/drills/reports)",
    )
    parser.add_argument(
        "--compare", nargs="+", type=Path, metavar="FILE", help="show earlier reports side by side, the newest last"
    )
    parser.add_argument(
        "--worse-share",
        type=_share,
        default=compare.DEFAULT_WORSE_SHARE,
        metavar="SHARE",
        help="of --compare: how much worse a figure may be: 0.2 is a fifth (default: %(default)g)",
    )
    parser.add_argument("--compare-html", type=Path, metavar="FILE", help="of --compare: also write a page")
    return parser


def _share(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (share := float(text)) <= _SHARE_MAX:
            return share
    raise argparse.ArgumentTypeError(f"a share from 0 to {_SHARE_MAX:g}, not {text!r}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
