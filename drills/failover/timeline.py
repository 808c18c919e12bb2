"""Plays a scenario's time line: begins and ends faults, and does what the operator does, each when it is due."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from core.errors import StepError
from core.route import Route
from drills.failover.faults.local import describe_fault
from drills.failover.history import Band
from drills.failover.scenario import ActionName, Scenario, TimedAction, TimedFault
from drills.failover.scene import Scene
from drills.running_clouds import PROJECT_FOLDER
from handlers.failover.clouds import connect_peers, find_clouds
from handlers.wiring import clock_ms

_COMMAND_TIMEOUT_S = 60.0
_LAST_LINE_CHARS = 300

Note = Callable[[str, str, str], None]  # kind, cloud, text


class Timeline:
    """One run of it.

    Attributes:
        bands: When each fault was made and was ended.
        troubles: What the drill could not do.
    """

    def __init__(self, scenario: Scenario, scene: Scene, *, note: Note) -> None:
        self.bands: list[Band] = []
        self.troubles: list[str] = []
        self._scenario, self._scene, self._note = scenario, scene, note
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._first_routes: dict[str, Route] = {}
        self._is_pinned = False

    def play(self) -> None:
        """Return when the last fault is healed and the last action is done. What a fault raises, is raised here.

        Whatever ends it early, Ctrl-C too: every fault is ended before that goes on, and what it pinned is unpinned.
        """
        if any(each.action is ActionName.STALE_OFFER for each in self._scenario.actions):
            self._first_routes = self._held_routes()
        start_s = time.monotonic()
        entries: list[TimedFault | TimedAction] = [*self._scenario.faults, *self._scenario.actions]
        try:
            self._play_all(entries, start_s)
        finally:
            if self._is_pinned:
                self._command("unpin", "--yes")

    def _play_all(self, entries: Sequence[TimedFault | TimedAction], start_s: float) -> None:
        with ThreadPoolExecutor(len(entries) or 1, thread_name_prefix="timeline") as pool:
            playing = [pool.submit(self._entry, entry, start_s) for entry in entries]
            try:
                for each in as_completed(playing):
                    each.result()
            finally:
                self._stopped.set()

    def _entry(self, entry: TimedFault | TimedAction, start_s: float) -> None:
        if not self._is_due(start_s + entry.at_s):
            return
        if isinstance(entry, TimedAction):
            self._act(entry)
        else:
            self._fault(entry, start_s)

    def _fault(self, fault: TimedFault, start_s: float) -> None:
        what, began_at_ms = describe_fault(fault), clock_ms()
        self._note("fault", fault.cloud, what)
        with self._scene.make_fault(fault):
            self._is_due(start_s + fault.ends_at_s)
        band = Band(cloud=fault.cloud, fault=fault.fault.value, what=what, from_at_ms=began_at_ms, to_at_ms=clock_ms())
        with self._lock:
            self.bands.append(band)
        self._note("heal", fault.cloud, f"{what}: over")

    def _act(self, action: TimedAction) -> None:
        match action.action:
            case ActionName.SWITCH:
                self._command("switch", "--to", action.to, "--yes")
            case ActionName.PIN | ActionName.UNPIN:
                self._is_pinned = action.action is ActionName.PIN
                self._command(action.action.value, "--yes")
            case ActionName.RECONCILE:
                self._command("reconcile")
            case ActionName.STALE_OFFER:
                self._offer_stale()

    def _command(self, *arguments: str) -> None:
        """As an operator types it: `npx sls failover …`."""
        text = f"sls failover {' '.join(arguments)}"
        self._note("operator", "", text)
        command = [sys.executable, "-m", "handlers.failover", *arguments, "--peers", str(self._scene.peers_file)]
        try:
            done = subprocess.run(
                command, cwd=PROJECT_FOLDER, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            self._trouble(f"the operator's command did not end within {_COMMAND_TIMEOUT_S:g} s: {text}")
            return
        said = _last_line(done.stdout or done.stderr)
        self._note("operator", "", f"{text}: exit status {done.returncode}: {said}")
        if done.returncode:
            self._trouble(f"the operator's command did not succeed: {text}: {_last_line(done.stderr)}")

    def _offer_stale(self) -> None:
        """Offer the first route again, and what somebody who has seen nothing since would make the next one."""
        for peer in connect_peers(find_clouds({}, path=str(self._scene.peers_file)), clock_ms=clock_ms):
            first = self._first_routes[peer.cloud]
            for stale in (first, replace(first, epoch=first.epoch + 1, reason="stale", changed_at_ms=clock_ms())):
                try:
                    is_taken = peer.offer_route(stale) == stale
                except StepError as error:
                    self._note("operator", peer.cloud, f"a stale controller offers epoch {stale.epoch}: {error}")
                    continue
                answer = "taken" if is_taken else "refused"
                self._note("operator", peer.cloud, f"a stale controller offers epoch {stale.epoch}: {answer}")
                if is_taken:
                    self._trouble(f"{peer.cloud} took a stale route, of epoch {stale.epoch}")

    def _held_routes(self) -> dict[str, Route]:
        peers = connect_peers(find_clouds({}, path=str(self._scene.peers_file)), clock_ms=clock_ms)
        looks = [peer.look() for peer in peers]
        return {look.cloud: look.route for look in looks if look.route is not None}

    def _is_due(self, at_s: float) -> bool:
        """Wait for a moment, or for the end of it all. Whether it was the moment."""
        return not self._stopped.wait(max(0.0, at_s - time.monotonic()))

    def _trouble(self, text: str) -> None:
        with self._lock:
            self.troubles.append(text)


def _last_line(text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines()
    return lines[-1][:_LAST_LINE_CHARS] if lines else ""
