"""What goes on while a drill runs: a live view in a terminal. Elsewhere: plain lines (drills.failover.printing).

with LiveView(out=sys.stderr, progress=Progress(name="functions-dead", clouds=("aws", "gcp"), length_s=60)) as view:
    history = run_drill(scenario, folder, say=view.say, on_sent=view.count)
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from drills.failover.history import Event, Sent
from drills.failover.report.quantities import clock
from drills.text_table import shorten

_WINDOW_COUNT = 30  # seconds that the little bars go back
_EVENT_COUNT = 6
_BARS = " ▁▂▃▄▅▆▇█"
_PER_S = 4.0
_TEXT_WIDTH = 300


def is_live_terminal(out: TextIO) -> bool:
    """Whether a view can be redrawn there: a terminal that moves its cursor, and that takes more than ASCII."""
    console = Console(file=out)
    return console.is_terminal and not console.is_dumb_terminal and "utf" in console.encoding


@dataclass(slots=True, kw_only=True)
class Progress:
    """What is known so far; whoever runs the drill updates it.

    Attributes:
        length_s: How long the load is meant to take.
        load_began_s: By the view's clock; None before.
        route: The active cloud, "" while nobody told.
        suspecting: Of each cloud, who suspects it.
        faults: (cloud, what) of those that last.
        ok_counts, error_counts: Of tries, by cloud, second by second; the last one is not over yet.
    """

    name: str
    clouds: tuple[str, ...]
    length_s: float
    load_began_s: float | None = None
    phase: str = "starting"
    route: str = ""
    name_leads_to: str = ""
    suspecting: dict[str, set[str]] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)
    ok_counts: deque[Counter[str]] = field(default_factory=lambda: deque([Counter()], maxlen=_WINDOW_COUNT))
    error_counts: deque[Counter[str]] = field(default_factory=lambda: deque([Counter()], maxlen=_WINDOW_COUNT))
    acknowledged_count: int = 0
    given_up_count: int = 0
    failed_try_count: int = 0
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=_EVENT_COUNT))

    def see_event(self, event: Event) -> None:
        """Take in what happened."""
        self.events.append(event)
        match event.kind:
            case "route":
                self.route = event.cloud
            case "dns":
                self.name_leads_to = event.cloud
            case "health":
                voter = event.text.split(maxsplit=1)[0]
                suspecting = self.suspecting.setdefault(event.cloud, set())
                (suspecting.add if " suspects " in event.text else suspecting.discard)(voter)
            case "fault":
                self.phase = "during"
                self.faults.append((event.cloud, event.text))
            case "heal":
                self.faults = [each for each in self.faults if not _is_end_of(event, each)]
                self.phase = "during" if self.faults else "after"
            case "operator":
                self.phase = "during" if self.phase == "before" else self.phase

    def see_sent(self, sent: Sent, *, now_s: float) -> None:
        """Count one file that is acknowledged or given up, with its tries."""
        if self.load_began_s is None:
            self.load_began_s, self.phase = now_s, "before"
        self.acknowledged_count += sent.is_acknowledged
        self.given_up_count += not sent.is_acknowledged
        for each in sent.attempts:
            self.failed_try_count += bool(each.error)
            (self.error_counts if each.error else self.ok_counts)[-1][each.cloud] += 1

    def next_second(self) -> None:
        """Begin to count anew."""
        self.ok_counts.append(Counter())
        self.error_counts.append(Counter())

    def done_share(self, *, now_s: float) -> float:
        if self.load_began_s is None:
            return 0.0
        return min((now_s - self.load_began_s) / max(self.length_s, 1.0), 1.0)


class LiveView:
    """Redraws a `Progress` four times a second until it is left. `say` and `count` may come from any thread."""

    def __init__(self, *, out: TextIO, progress: Progress, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._progress, self._clock_s = progress, clock_s
        self._lock = threading.Lock()
        self._second = int(clock_s())
        self._live = Live(
            console=Console(file=out), get_renderable=self._render, refresh_per_second=_PER_S, redirect_stdout=False
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, event: Event) -> None:
        with self._lock:
            self._progress.see_event(event)

    def count(self, sent: Sent) -> None:
        with self._lock:
            self._turn()
            self._progress.see_sent(sent, now_s=self._clock_s())

    def _render(self) -> Group:
        with self._lock:
            self._turn()
            return draw(self._progress, now_s=self._clock_s())

    def _turn(self) -> None:
        second = int(self._clock_s())
        for _ in range(min(second - self._second, _WINDOW_COUNT)):
            self._progress.next_second()
        self._second = second


def draw(progress: Progress, *, now_s: float) -> Group:
    """The view at one moment."""
    bar = ProgressBar(total=1.0, completed=progress.done_share(now_s=now_s), width=40)
    head = Table.grid(padding=(0, 2))
    head.add_row(Text(progress.name, style="bold"), Text(progress.phase), bar)
    return Group(head, _clouds(progress), _totals(progress), *(_event(each) for each in progress.events))


def _clouds(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("cloud", "ok/s", "last 30 s", "errors/s", "route", "health", "fault"):
        table.add_column(title, justify="right" if title.endswith("/s") else "left", no_wrap=title != "fault")
    whole = list(progress.ok_counts)[:-1]
    most_count = max((count for counts in whole for count in counts.values()), default=0)
    for cloud in progress.clouds:
        suspecting = sorted(progress.suspecting.get(cloud, ()))
        errors = _last_whole(progress.error_counts)[cloud]
        leads = [what for what, at in (("active", progress.route), ("name", progress.name_leads_to)) if at == cloud]
        table.add_row(
            _text(cloud),
            str(_last_whole(progress.ok_counts)[cloud]),
            bars([counts[cloud] for counts in whole], most_count=most_count),
            Text(str(errors), style="red" if errors else ""),
            ", ".join(leads),
            _text(f"suspected by {', '.join(suspecting)}", "yellow") if suspecting else Text("ok"),
            _text("; ".join(what for at, what in progress.faults if at == cloud), "red"),
        )
    return table


def bars(counts: list[int], *, most_count: int) -> str:
    """One little bar for each count, as high as its share of the largest; any count but 0 is seen."""
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most_count)] if count else _BARS[0] for count in counts)


def _totals(progress: Progress) -> Text:
    return Text(
        f"{progress.acknowledged_count:,} acknowledged, {progress.given_up_count:,} given up, "
        f"{progress.failed_try_count:,} failed tries"
    )


def _event(event: Event) -> Text:
    where = f"{event.cloud}: " if event.cloud else ""
    return _text(f"{clock(event.at_ms)}  {event.kind:8}  {where}{event.text}", "dim")


def _text(content: str, style: str = "") -> Text:
    """Text as it is: no markup in it counts, and no control character reaches the terminal."""
    return Text(shorten(content, width=_TEXT_WIDTH), style=style, overflow="ellipsis", no_wrap=True)


def _last_whole(counts: deque[Counter[str]]) -> Counter[str]:
    return counts[-2] if len(counts) > 1 else Counter()


def _is_end_of(event: Event, fault: tuple[str, str]) -> bool:
    """A heal names its fault first: "<what>: over"."""
    return event.cloud == fault[0] and event.text.startswith(fault[1])
