"""The live view: what it counts, what it draws, and that nothing from outside reaches the terminal raw."""

import io

import pytest
from rich.console import Console

from drills.failover.history import Attempt, Event, Sent
from drills.failover.live_view import LiveView, Progress, bars, draw, is_live_terminal


class Terminal(io.StringIO):
    """A text stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What rich asks the environment for."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def progress() -> Progress:
    return Progress(name="functions-dead", clouds=("aws", "gcp", "azure"), length_s=60)


def event(kind: str, cloud: str, text: str) -> Event:
    return Event(at_ms=1_795_564_800_000, kind=kind, cloud=cloud, text=text)


def sent(*tries: tuple[str, str]) -> Sent:
    attempts = tuple(Attempt(cloud=cloud, began_at_ms=0, ended_at_ms=1, error=error) for cloud, error in tries)
    return Sent(road="dns", name="a", sha256="", size_bytes=1, attempts=attempts)


def drawn(progress: Progress, *, now_s: float, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(draw(progress, now_s=now_s))
    return out.getvalue()


def line_of(cloud: str, text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(cloud))


def test_tries_are_counted_by_cloud(progress: Progress) -> None:
    """A file that failed at one cloud and got through at the next counts at both; the whole last second is shown."""
    progress.see_sent(sent(("aws", "refused"), ("gcp", "")), now_s=100.2)
    progress.see_sent(sent(("gcp", "")), now_s=100.4)
    progress.next_second()

    text = drawn(progress, now_s=101.2)

    assert line_of("aws", text).split()[1:3] == ["0", "1"]
    assert line_of("gcp", text).split()[1:4] == ["2", "█", "0"]
    assert "2 acknowledged, 0 given up, 1 failed tries" in text


def test_fault_route_and_health_are_shown(progress: Progress) -> None:
    """Of the cloud that they are about, from event to event."""
    for each in (
        event("route", "aws", "epoch 0"),
        event("dns", "aws", "the name leads to aws"),
        event("fault", "aws", "functions dead"),
        event("health", "aws", "gcp suspects it: api"),
        event("health", "aws", "azure suspects it: api"),
        event("route", "gcp", "epoch 1"),
    ):
        progress.see_event(each)

    text = drawn(progress, now_s=1.0)

    assert "suspected by azure, gcp" in line_of("aws", text)
    assert "functions dead" in line_of("aws", text)
    assert "name" in line_of("aws", text)
    assert "active" in line_of("gcp", text)


def test_recovery_is_shown(progress: Progress) -> None:
    """A fault that is over and voters that see a cloud well leave no trace in its line."""
    for each in (
        event("fault", "aws", "functions dead"),
        event("health", "aws", "gcp suspects it: api"),
        event("heal", "aws", "functions dead: over"),
        event("health", "aws", "gcp sees it well again"),
    ):
        progress.see_event(each)

    assert line_of("aws", drawn(progress, now_s=1.0)).split() == ["aws", "0", "0", "ok"]


def test_phases_follow_load_and_faults(progress: Progress) -> None:
    """Starting, before, during as long as any fault lasts, after."""
    phases = [progress.phase]
    progress.see_sent(sent(("aws", "")), now_s=5.0)
    phases.append(progress.phase)
    for each in (
        event("fault", "aws", "functions dead"),
        event("fault", "gcp", "slow"),
        event("heal", "aws", "functions dead: over"),
        event("heal", "gcp", "slow: over"),
    ):
        progress.see_event(each)
        phases.append(progress.phase)

    assert phases == ["starting", "before", "during", "during", "during", "after"]


def test_progress_ends_at_the_whole(progress: Progress) -> None:
    """The bar starts with the load, and does not run over."""
    assert progress.done_share(now_s=1000.0) == 0.0
    progress.see_sent(sent(("aws", "")), now_s=1000.0)

    assert progress.done_share(now_s=1030.0) == 0.5
    assert progress.done_share(now_s=2000.0) == 1.0


def test_any_count_is_seen_in_the_bars() -> None:
    """One among thousands has a bar; none has not."""
    assert bars([0, 1, 1000], most_count=1000) == " ▁█"
    assert bars([0, 0], most_count=0) == "  "


def test_texts_cannot_steer_the_terminal(progress: Progress) -> None:
    """Control characters are shown as escapes, and rich's own markup as text."""
    progress.see_event(event("fault", "aws", "\x1b[2J\x1b]0;owned\x07 [red]evil[/red] [/]"))

    text = drawn(progress, now_s=1.0)

    assert "\x1b" not in text
    assert "\\x1b[2J" in text
    assert "[red]evil[/red] [/]" in text


def test_narrow_terminal_is_kept(progress: Progress) -> None:
    """Nothing is wider than the terminal."""
    progress.see_event(event("fault", "aws", "functions dead " * 20))

    assert max(map(len, drawn(progress, now_s=1.0, width=60).splitlines())) <= 60


def test_view_draws_into_a_terminal(progress: Progress) -> None:
    """From entering to leaving: what was told is on the screen, and the cursor is visible again."""
    out = Terminal()

    with LiveView(out=out, progress=progress, clock_s=lambda: 7.0) as view:
        view.say(event("fault", "aws", "functions dead"))
        view.count(sent(("aws", "refused"), ("gcp", "")))

    assert "functions dead" in out.getvalue()
    assert "1 acknowledged" in out.getvalue()
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")


@pytest.mark.parametrize(
    ("out", "term", "expected"),
    [(Terminal(), "xterm-256color", True), (Terminal(), "dumb", False), (io.StringIO(), "xterm-256color", False)],
)
def test_only_real_terminals_get_a_view(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO, term: str, expected: bool
) -> None:
    """Pipes, files and dumb terminals get plain lines."""
    monkeypatch.setenv("TERM", term)

    assert is_live_terminal(out) is expected
