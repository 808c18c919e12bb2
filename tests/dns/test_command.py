"""The operator's command: refuses, asks, applies host by host, and says what happened."""

import io
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from declared import all_serving, file_of
from dns_process import SECRET, Target, update_server

from drills.supervisor import LOOPBACK, pick_free_port
from handlers.dns.__main__ import Session, main
from handlers.dns.__main__ import _confirm as confirm
from handlers.dns.declaration import Declaration, DeclarationError, parse_declaration, read_declaration
from handlers.dns.each_host import at_each
from handlers.dns.plan import DnsHost, HostPlan, why_refused
from handlers.dns.serving import ask_targets
from handlers.dns.timings import timings_of

ROOT = Path(__file__).parents[2]
HOSTS = {"route53": {}, "rfc2136": {"server": LOOPBACK, "key_name": "drill.", "key_secret": "env/DNS_KEY_SECRET"}}


class FakeHost:
    """A DNS host in memory, which leads to aws and shall lead to `after`."""

    def __init__(self, after: str = "b.gcp.example.") -> None:
        self.value = "a.aws.example."
        self._after = after

    def plan(self) -> HostPlan:
        return self._to(self._after)

    def plan_switch(self, target: str) -> HostPlan | None:
        return self._to(target)

    def _to(self, target: str) -> HostPlan:
        changes = () if target == self.value else (f"{self.value} → {target}",)
        before, after = frozenset({self.value}), frozenset({target})
        return HostPlan(changes=changes, before=before, after=after, apply=lambda: setattr(self, "value", target))


class DeadHost:
    def plan(self) -> HostPlan:
        raise KeyError("IsTruncated")  # not an error of ours: anything may come out of an SDK

    def plan_switch(self, target: str) -> HostPlan | None:
        return self.plan()


def session_of(hosts: Mapping[str, DnsHost], *, but: tuple[str, ...] = (), agrees: bool = True) -> Session:
    def make(host: str, declaration: Declaration, serving: Mapping[str, bool]) -> DnsHost:
        return hosts[host]

    return Session(make=make, ask=lambda declaration: all_serving(declaration, but=but), confirm=lambda _: agrees)


@pytest.fixture
def declared(tmp_path: Path) -> str:
    path = tmp_path / "dns.yml"
    path.write_text(yaml.safe_dump(file_of(hosts=HOSTS), sort_keys=False))
    return f"--file={path}"


def test_one_dead_dns_host_does_not_stop_the_others(declared: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The living one is changed, the dead one is named, and the exit status is 1."""
    alive = FakeHost()

    status = main(["apply", declared, "--yes", "--json"], session=session_of({"route53": DeadHost(), "rfc2136": alive}))

    hosts = json.loads(capsys.readouterr().out)["hosts"]
    assert status == 1
    assert alive.value == "b.gcp.example."
    assert (hosts["route53"]["result"], hosts["rfc2136"]["result"]) == ("failed", "applied")
    assert "IsTruncated" in hosts["route53"]["error"]


def test_a_hung_dns_host_does_not_stop_the_others() -> None:
    """After the time limit the next one has its turn, and the outcome of the hung one is called unknown."""
    forever = threading.Event()
    try:
        done = at_each({"hung": forever.wait, "alive": lambda: 1}, timeout_s=0.1)
    finally:
        forever.set()

    assert "unknown" in done["hung"].error
    assert done["alive"].answer == 1


def test_refuses_to_remove_the_last_healthy_target(declared: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With aws alone serving, nothing moves away from it, asked or not."""
    hosts = {"route53": FakeHost(), "rfc2136": FakeHost()}

    status = main(["apply", declared, "--yes"], session=session_of(hosts, but=("gcp", "azure")))

    assert status == 1
    assert hosts["route53"].value == "a.aws.example."
    assert "refused: it would remove a.aws.example." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "serving", "is_refused"),
    [
        ({"a"}, {"b"}, {"a": True, "b": False}, True),  # the last healthy one would go
        ({"a"}, {"b"}, {"a": True, "b": True}, False),
        ({"a"}, {"b"}, {"a": False, "b": False}, False),  # none is lost: all are down
        ({"x"}, {"b"}, {"b": False}, True),  # not declared, not asked: counts as healthy
        ({"a", "b"}, {"b"}, {"a": True, "b": False}, True),
        (set(), {"a"}, {"a": False}, False),  # the first record of all
        ({"a"}, {"a", "b"}, {"a": False, "b": False}, False),  # nothing is removed
        ({"a"}, set(), {"a": True}, True),
    ],
)
def test_refusal_rule(before: set[str], after: set[str], serving: dict[str, bool], is_refused: bool) -> None:
    """A plan is refused exactly if a target that serves, or may, goes and none that serves is left."""
    plan = HostPlan(changes=("x",), before=frozenset(before), after=frozenset(after), apply=lambda: None)

    assert bool(why_refused(plan, serving)) == is_refused


def test_no_is_no(declared: str) -> None:
    """Without --yes it asks, and changes nothing unless the answer is yes."""
    hosts = {"route53": FakeHost(), "rfc2136": FakeHost()}

    status = main(["apply", declared], session=session_of(hosts, agrees=False))

    assert status == 1
    assert hosts["rfc2136"].value == "a.aws.example."


def test_plan_changes_nothing(declared: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows each host's changes, and leaves them."""
    hosts = {"route53": FakeHost(), "rfc2136": FakeHost()}

    status = main(["plan", declared], session=session_of(hosts))

    assert status == 0
    assert hosts["route53"].value == "a.aws.example."
    assert "a.aws.example. → b.gcp.example." in capsys.readouterr().out


def test_switch_to_an_unknown_cloud_is_refused(declared: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the clouds that are declared."""
    status = main(["switch", declared, "--to=mars", "--yes"], session=session_of({}))

    assert status == 1
    assert "one of aws, gcp, azure, not mars" in capsys.readouterr().err


@pytest.fixture
def targets() -> Iterator[list[Target]]:
    port = pick_free_port()
    made = [Target("127.0.0.2", port), Target("127.0.0.3", port, status=503)]
    yield made
    for target in made:
        target.close()


def test_targets_are_really_asked(targets: list[Target]) -> None:
    """200 serves; 503, and nobody at home, do not."""
    health = {**file_of()["health"], "protocol": "http", "port": targets[0].port}
    addresses = {"aws": "127.0.0.2", "gcp": "127.0.0.3", "azure": "127.0.0.4"}

    asked = ask_targets(parse_declaration(file_of(targets=addresses, health=health)))

    assert asked == {"127.0.0.2": True, "127.0.0.3": False, "127.0.0.4": False}


def test_switch_as_an_operator_runs_it(
    targets: list[Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command against real servers: apply, a refused switch, and a switch once the target serves."""
    addresses = {"aws": "127.0.0.2", "gcp": "127.0.0.3"}
    health = {**file_of()["health"], "protocol": "http", "port": targets[0].port}
    monkeypatch.setenv("DNS_KEY_SECRET", SECRET)
    with update_server("drills", tmp_path) as port:
        host = {**HOSTS["rfc2136"], "port": port}
        path = tmp_path / "dns.yml"
        said = file_of(name="moved", targets=addresses, health=health, hosts={"rfc2136": host})
        path.write_text(yaml.safe_dump(said, sort_keys=False))

        applied = main(["apply", f"--file={path}", "--yes"])
        refused = main(["switch", f"--file={path}", "--yes", "--to=gcp"])
        targets[1].status = 200
        switched = main(["switch", f"--file={path}", "--yes", "--to=gcp"])

    assert (applied, refused, switched) == (0, 1, 0)
    assert "127.0.0.2 → 127.0.0.3 at moved.drill.test. A" in capsys.readouterr().out


def test_confirmation_is_read_from_standard_input(declared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything but y or yes, end of input too, is no."""
    answers = []
    for typed in ("y\n", "YES\n", "n\n", ""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        answers.append(confirm("? "))

    assert answers == [True, True, False, False]


def test_example_is_valid_and_has_the_documented_timings() -> None:
    """The example in docs is read, and the numbers in docs/dns.md are those that the code computes."""
    declaration = read_declaration(ROOT / "docs/examples/dns.yml")

    totals = {timing.host: timing.total_s for timing in timings_of(declaration)}
    page = (ROOT / "docs/dns.md").read_text()
    assert all(f"= {total_s} s" in page for total_s in totals.values()), totals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"zone": "drill.test"}, "zone: a whole host name with a dot at its end"),
        ({"name": ""}, "name: relative"),
        ({"ttl_s": 600}, "ttl_s: a whole number from 1 to 60"),
        ({"ttl_s": True}, "ttl_s"),
        ({"targets": {}}, "at least one"),
        ({"targets": {"aws": "a.example.", "gcp": "192.0.2.1"}}, "all of one kind"),
        ({"targets": {"aws": "a.example.", "gcp": "A.example."}}, "none twice"),
        ({"targets": {"aws": "http://a.example/"}}, "targets.aws"),
        ({"hosts": {"bind": {}}}, "bind is unknown"),
        ({"hosts": {"rfc2136": {"server": "x"}}}, "key_name, key_secret is missing"),
        (
            {"hosts": {"rfc2136": {"server": "x", "key_name": "k", "key_secret": "c2VjcmV0"}}},
            "stands in the environment",
        ),
        ({"health": {**file_of()["health"], "interval_s": 20}}, "10 or 30"),
        ({"health": {**file_of()["health"], "path": "v1 serving"}}, "health.path"),
        ({"surprise": 1}, "surprise is unknown"),
    ],
)
def test_wrong_declarations_are_named(changes: dict[str, object], message: str) -> None:
    """The error says which line to change."""
    with pytest.raises(DeclarationError, match=message):
        parse_declaration(file_of(**changes))
