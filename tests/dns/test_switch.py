"""Compare and swap by RFC 2136, against our local server always, and against knot and BIND where they are installed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest
from declared import all_serving, declare
from dns_process import SECRET, is_installed, update_server

from drills.supervisor import LOOPBACK
from handlers.dns.plan import DnsHostError, LostRaceError
from handlers.dns.rfc2136 import Rfc2136Host, UpdateServer

ROUND_COUNT = 20
SWITCHER_COUNT = 8


@pytest.fixture(scope="module", params=["drills", "knot", "bind"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    if not is_installed(request.param):
        pytest.skip(f"{request.param} is not installed here (Debian packages: knot, bind9)")
    with update_server(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


def host_at(port: int, *, secret: str = SECRET) -> Rfc2136Host:
    declaration = declare(name="race")
    server = UpdateServer(address=LOOPBACK, port=port, key_name="drill.", key_secret=secret)
    return Rfc2136Host(declaration, server, serving=dict(all_serving(declaration)))


def test_of_eight_switchers_exactly_one_wins_each_round(port: int) -> None:
    """Eight that saw the same value all try to move it: one does, seven are told that they lost, twenty times."""
    host = host_at(port)
    with ThreadPoolExecutor(SWITCHER_COUNT) as pool:
        for round_number in range(ROUND_COUNT):
            seen = host.look()
            wanted = [f"r{round_number}-s{switcher}.example." for switcher in range(SWITCHER_COUNT)]

            has_won = pool.map(_swaps, repeat(port), repeat(seen), wanted)
            won = [name for name, is_winner in zip(wanted, has_won, strict=True) if is_winner]

            assert len(won) == 1
            assert host.look() == frozenset(won)


def _swaps(port: int, seen: frozenset[str], target: str) -> bool:
    try:
        host_at(port).swap(seen, target)
    except LostRaceError:
        return False
    return True


def test_plan_of_a_switch_that_is_late_changes_nothing(port: int) -> None:
    """A plan made before somebody else's switch loses, and their value stays."""
    host = host_at(port)
    late = host.plan_switch("late.example.")
    host.swap(host.look(), "early.example.")

    with pytest.raises(LostRaceError, match="another switch won"):
        late.apply()

    assert host.look() == {"early.example."}


def test_wrong_key_is_refused(port: int) -> None:
    """A request signed with another secret changes nothing and says that the keys differ."""
    seen = host_at(port).look()

    with pytest.raises(DnsHostError, match=r"do not agree on the key|refuses"):
        host_at(port, secret="d3Jvbmcga2V5IQ==").swap(seen, "stolen.example.")

    assert host_at(port).look() == seen


def test_unsigned_update_is_refused(port: int) -> None:
    """Without a signature nothing is changed."""
    seen = host_at(port).look()
    update = dns.update.UpdateMessage("drill.test.")
    update.replace("race", 5, "CNAME", "stolen.example.")

    answer = dns.query.tcp(update, LOOPBACK, port=port, timeout=5)

    assert answer.rcode() in (dns.rcode.REFUSED, dns.rcode.NOTAUTH)
    assert host_at(port).look() == seen


def test_plan_leaves_a_switched_record_where_it_is(port: int) -> None:
    """After a switch to a declared target there is nothing to apply."""
    host = host_at(port)
    host.swap(host.look(), "c.azure.example.")

    assert host.plan().changes == ()
