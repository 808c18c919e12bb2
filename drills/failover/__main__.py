"""`python -m drills.failover [SCENARIO…]`: rehearses failovers under load, on local or deployed clouds.

Without a scenario: cloud-outage. Exit status 0: every drill passed; 1: one failed, or could not be run; 2: misused.
"""

import argparse
import io
import json
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drills.failover.deployed import Access, NotReadyError, deployed_scene, plan_lines, route_of
from drills.failover.drill import run_drill, run_on_local_clouds
from drills.failover.faults.aws import AwsFaultError
from drills.failover.faults.google import GoogleFaultError
from drills.failover.history import History, save_history
from drills.failover.live_view import LiveView, Progress, is_live_terminal
from drills.failover.options import parse_options
from drills.failover.printing import Reporter, format_report, format_summary
from drills.failover.report import compare, html_report
from drills.failover.scenario import Scenario, Target
from drills.failover.scenario_file import ScenarioError, find_scenario, read_scenario, scenario_paths
from drills.failover.targets import fit_to_deployed, possible_names, repeat, require_possible
from drills.failover.verdict.judge import judge
from drills.running_clouds import PROJECT_FOLDER, CloudsDidNotStartError
from drills.supervisor import StartError
from drills.text_table import format_table
from handlers.failover.clouds import CloudsUnknownError, find_clouds

DEFAULT = "cloud-outage"
DRILLS_FOLDER = PROJECT_FOLDER / ".sluice" / "drills"
_ROUND_PAUSE_S = 10.0
_COULD_NOT_RUN = (
    AwsFaultError,
    CloudsDidNotStartError,
    CloudsUnknownError,
    GoogleFaultError,
    NotReadyError,
    StartError,
    TimeoutError,
)


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; return the exit status."""
    options = parse_options(arguments, default=DEFAULT, reports=DRILLS_FOLDER / "reports")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        if options.list:
            print(_listing())
            return 0
        if options.compare:
            return compare.main(options.compare, worse_share=options.worse_share, html_path=options.compare_html)
        return _run_all(_scenarios(options), options)
    except ScenarioError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was running is not judged", file=sys.stderr)
        return 130


def _scenarios(options: argparse.Namespace) -> list[Scenario]:
    """Those that are asked for. Raises ScenarioError, before anything runs."""
    names = possible_names(options.target) if options.all else options.scenarios or [DEFAULT]
    found = [find_scenario(name) for name in names]
    for each in found:
        require_possible(each, options.target)
    if options.target is Target.DEPLOYED and options.peers is None:
        raise ScenarioError(
            "--target deployed needs --peers FILE, which says where the clouds are (docs/operations.md)"
        )
    return [repeat(each, count=options.rounds, pause_s=_ROUND_PAUSE_S) for each in found]


def _run_all(scenarios: Sequence[Scenario], options: argparse.Namespace) -> int:
    run = _run_deployed if options.target is Target.DEPLOYED else _run_local
    done: list[tuple[str, str, float]] = []
    for scenario in scenarios:
        began_s = time.monotonic()
        verdict = run(scenario, options)
        done.append((scenario.name, verdict, time.monotonic() - began_s))
    if len(done) > 1:
        print(format_summary(done), file=sys.stderr if options.json else sys.stdout)
    return 0 if all(verdict == "passed" for _, verdict, _ in done) else 1


def _run_local(scenario: Scenario, options: argparse.Namespace) -> str:
    """Play and judge one scenario, and write its report. The verdict, in a word."""
    DRILLS_FOLDER.mkdir(parents=True, exist_ok=True)
    clouds_folder = Path(tempfile.mkdtemp(prefix=f"{scenario.name}-", dir=DRILLS_FOLDER))
    try:
        with _shown_live(scenario) as reporter:
            history = run_on_local_clouds(scenario, clouds_folder, say=reporter.say, on_sent=reporter.count)
    except _COULD_NOT_RUN as error:
        print(f"Error: {scenario.name} could not be run: {error}\nLogs: {_shown(clouds_folder)}", file=sys.stderr)
        return "not run"
    report = _judged(history, options)
    if report["verdict"] == "passed":
        shutil.rmtree(clouds_folder)
    else:
        print(f"Logs and data: {_shown(clouds_folder)}", file=sys.stderr)
    return str(report["verdict"])


def _run_deployed(scenario: Scenario, options: argparse.Namespace) -> str:
    """The same where the clouds are already up. Says what it will change, and changes nothing without --yes."""
    access = Access(
        peers_file=options.peers,
        name_url=options.name_url,
        buckets=dict(options.bucket),
        aws_functions=options.aws_functions,
        google_service=options.google_service,
    )
    try:
        known = find_clouds({}, path=str(options.peers))
        order = route_of(known).order
        fitted = fit_to_deployed(scenario, order, seed=secrets.randbelow(2**31), slower=options.slower)
        scene = deployed_scene(fitted, known, access)
        print("\n".join(plan_lines(fitted, scene, access)), file=sys.stderr)
        if not options.yes:
            print("Nothing was changed: --yes goes ahead.", file=sys.stderr)
            return "not run"
        with _shown_live(fitted) as reporter:
            began_at_ms = time.time_ns() // 1_000_000
            history = run_drill(fitted, scene, started_at_ms=began_at_ms, say=reporter.say, on_sent=reporter.count)
    except _COULD_NOT_RUN as error:
        print(f"Error: {scenario.name} could not be run: {error}", file=sys.stderr)
        return "not run"
    return str(_judged(history, options)["verdict"])


def _judged(history: History, options: argparse.Namespace) -> dict[str, Any]:
    """Judge what was seen; write and print the report, and say where it is."""
    report = judge(history)
    stamp = datetime.fromtimestamp(history.started_at_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    target: Path = options.report / f"{history.scenario['name']}-{stamp}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    save_history(history, target / "history.json")
    html_report.write(report, target / "report.html")
    print(json.dumps(report, ensure_ascii=False) if options.json else format_report(report), flush=True)
    print(f"Report: {_shown(target / 'report.html')}", file=sys.stderr)
    return report


def _shown_live(scenario: Scenario) -> AbstractContextManager[LiveView | Reporter]:
    """A live view in a terminal, else plain lines."""
    if not is_live_terminal(sys.stderr):
        return nullcontext(Reporter(out=sys.stderr))
    durations = scenario.durations
    length_s = durations.before_s + scenario.lasts_s + durations.after_s
    return LiveView(out=sys.stderr, progress=Progress(name=scenario.name, clouds=scenario.clouds, length_s=length_s))


def _listing() -> str:
    scenarios = [read_scenario(path) for path in scenario_paths().values()]
    names = {target: set(possible_names(target)) for target in Target}
    rows = [("scenario", "on clouds that are", "what goes wrong")]
    rows += [
        (each.name, ", ".join(target for target in Target if each.name in names[target]), each.title)
        for each in scenarios
    ]
    return format_table(rows)


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # faults are taken back, as at Ctrl-C
    sys.exit(main(sys.argv[1:]))
