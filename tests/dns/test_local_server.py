"""The drills' DNS server: real UDP and TCP, the documented algorithm at scaled-down numbers, and hostile packets."""

import json
import random
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from dns_process import Target, local_dns

from drills.dns.answering import Answerer
from drills.dns.health import Health, answered
from drills.dns.settings import Follows, read_settings
from drills.dns.zone import LocalZone
from drills.supervisor import LOOPBACK, pick_free_port
from drills.waiting import wait_until

NUMBERS = {
    "ttl_s": 1,
    "interval_s": 0.3,
    "threshold_count": 3,
    "recovery_count": 2,
    "connect_timeout_s": 0.1,
    "answer_timeout_s": 0.1,
}
LIMIT_S = 0.3 * 3 + 0.2
MARGIN_S = 1.0  # two cores, shared
LONG_TEXTS = ["x" * 250, "y" * 250, "z" * 250]


@pytest.fixture
def targets() -> Iterator[dict[str, Target]]:
    port = pick_free_port()
    made = {cloud: Target(f"127.0.0.{number}", port) for number, cloud in enumerate(("aws", "gcp", "azure"), start=2)}
    yield made
    for target in made.values():
        target.close()


def settings_for(targets: dict[str, Target], **changes: object) -> dict[str, object]:
    addresses = {cloud: f"127.0.0.{number}" for number, cloud in enumerate(targets, start=2)}
    return {**NUMBERS, "targets": addresses, "port": targets["aws"].port, **changes}


def addresses(port: int) -> list[str]:
    answer = dns.query.udp(dns.message.make_query("ingest.drill.test.", "A"), LOOPBACK, port=port, timeout=2)
    return [rdata.to_text() for rrset in answer.answer for rdata in rrset]


def addresses_or_none(port: int) -> list[str]:
    """As `addresses`, or none: a query behind a flood may be dropped, as UDP may be."""
    try:
        return addresses(port)
    except dns.exception.Timeout:
        return []


def test_switches_within_the_numbers_and_comes_back(targets: dict[str, Target], tmp_path: Path) -> None:
    """The second target is answered within interval × threshold + timeout of the outage, and the first comes back."""
    with local_dns(tmp_path, **settings_for(targets)) as (port, _):
        assert addresses(port) == ["127.0.0.2"]

        targets["aws"].status = 503
        began_s = time.monotonic()
        wait_until(lambda: addresses(port) == ["127.0.0.3"], timeout_s=LIMIT_S + MARGIN_S, what="the switch")
        took_s = time.monotonic() - began_s
        targets["aws"].status = 200
        wait_until(lambda: addresses(port) == ["127.0.0.2"], timeout_s=LIMIT_S + MARGIN_S, what="the way back")

    assert took_s >= 0.3 * 2 - 0.1, "three probes in a row must fail: one lost probe is no outage"


@pytest.mark.parametrize(
    ("follows", "expected"),
    [("route53", ["127.0.0.2"]), ("traffic_manager", ["127.0.0.2", "127.0.0.3", "127.0.0.4"])],
)
def test_all_down_is_answered_as_documented(
    targets: dict[str, Target], tmp_path: Path, follows: str, expected: list[str]
) -> None:
    """Route 53 then counts all as healthy, Traffic Manager answers all."""
    for target in targets.values():
        target.status = 503
    with local_dns(tmp_path, **settings_for(targets, follows=follows)) as (port, admin_port):
        wait_until(
            lambda: not any(h["is_healthy"] for h in status(admin_port)["health"].values()),
            timeout_s=LIMIT_S + MARGIN_S,
            what="all down",
        )

        assert sorted(addresses(port)) == expected


def status(admin_port: int) -> dict[str, object]:
    with urllib.request.urlopen(f"http://{LOOPBACK}:{admin_port}/status", timeout=2) as answer:
        return json.load(answer)


def test_status_tells_health_answer_and_since_when(targets: dict[str, Target], tmp_path: Path) -> None:
    """The answer's age begins with the switch, not with the server."""
    with local_dns(tmp_path, **settings_for(targets)) as (port, admin_port):
        before = status(admin_port)
        targets["aws"].status = 503
        wait_until(lambda: addresses(port) == ["127.0.0.3"], timeout_s=LIMIT_S + MARGIN_S, what="the switch")

        after = status(admin_port)

    assert (before["answer"], after["answer"]) == (["aws"], ["gcp"])
    assert after["since_s"] > before["since_s"]
    assert not after["health"]["aws"]["is_healthy"]


def test_ttl_is_the_declared_one_over_udp_and_tcp(targets: dict[str, Target], tmp_path: Path) -> None:
    """Both transports give the same authoritative answer."""
    query = dns.message.make_query("INGEST.drill.test.", "A")
    with local_dns(tmp_path, **settings_for(targets, ttl_s=7)) as (port, _):
        answers = [ask(query, LOOPBACK, port=port, timeout=2) for ask in (dns.query.udp, dns.query.tcp)]

    assert [answer.answer[0].ttl for answer in answers] == [7, 7]
    assert all(answer.flags & dns.flags.AA for answer in answers)
    assert answers[0].answer == answers[1].answer


def test_long_answers_are_truncated_over_udp_only(targets: dict[str, Target], tmp_path: Path) -> None:
    """What does not fit sets TC, and TCP has all of it."""
    records = [["long", 5, "TXT", [" ".join(f'"{text}"' for text in LONG_TEXTS)]]]
    query = dns.message.make_query("long.drill.test.", "TXT")
    with local_dns(tmp_path, **settings_for(targets, records=records)) as (port, _):
        udp = dns.query.udp(query, LOOPBACK, port=port, timeout=2)
        tcp = dns.query.tcp(query, LOOPBACK, port=port, timeout=2)

    assert udp.flags & dns.flags.TC
    assert not tcp.flags & dns.flags.TC
    assert len(tcp.answer[0][0].strings) == 3


def test_names_that_are_not_there(targets: dict[str, Target], tmp_path: Path) -> None:
    """An unknown name, a type that a name lacks, and a foreign zone are told apart."""
    with local_dns(tmp_path, **settings_for(targets)) as (port, _):
        asked = [("none.drill.test.", "A"), ("ingest.drill.test.", "AAAA"), ("example.com.", "A")]
        codes = [dns.query.udp(dns.message.make_query(*q), LOOPBACK, port=port, timeout=2).rcode() for q in asked]

    assert codes == [dns.rcode.NXDOMAIN, dns.rcode.NOERROR, dns.rcode.REFUSED]


def hostile_packets() -> list[bytes]:
    """Garbage, truncations, compression loops, no question, many questions, huge ones, and random mutations."""
    query = dns.message.make_query("ingest.drill.test.", "A").to_wire()
    header = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    chance = random.Random(4)
    fixed = [
        b"",
        b"\x00",
        header,
        header + b"\xc0\x0c\x00\x01\x00\x01",  # a name that points to itself
        header + b"\xc0\x0e\xc0\x0c\x00\x01\x00\x01",  # two that point to each other
        header + b"\x3f" + b"a" * 20,
        b"\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # no question
        b"\x12\x34\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff" + b"\x00" * 100,
        b"\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01",  # an update of the root
        b"\x12\x34\x81\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # an answer
        chance.randbytes(9000),
    ]
    mutated = []
    for _ in range(2000):
        wire = bytearray(query)
        for _ in range(chance.randint(1, 6)):
            wire[chance.randrange(len(wire))] = chance.randrange(256)
        mutated.append(bytes(wire))
    return fixed + mutated


def test_hostile_packets_do_not_stop_it(targets: dict[str, Target], tmp_path: Path) -> None:
    """After thousands of broken packets, by UDP and TCP, it still answers, and its log holds no traceback."""
    packets = hostile_packets()
    with local_dns(tmp_path, **settings_for(targets)) as (port, _):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for packet in packets:
                client.sendto(packet, (LOOPBACK, port))
        for packet in packets[:60]:
            with socket.create_connection((LOOPBACK, port), timeout=2) as client:
                client.sendall(len(packet).to_bytes(2, "big") + packet)
        with socket.create_connection((LOOPBACK, port), timeout=2) as client:
            client.sendall(b"\xff\xff" + b"cut short")

        still = wait_until(lambda: addresses_or_none(port), timeout_s=10, what="an answer")

    assert still == ["127.0.0.2"]
    assert "Traceback" not in (tmp_path / "dns.log").read_text()


def test_every_hostile_packet_is_answered_or_ignored(tmp_path: Path) -> None:
    """No packet raises, over either transport; what is answered has the packet's id and is an answer."""
    path = tmp_path / "dns.json"
    path.write_text(json.dumps({"zone": "drill.test.", "name": "ingest", "targets": {"aws": "127.0.0.2"}}))
    settings = read_settings(path)
    answerer = Answerer(settings, LocalZone(settings), answered=lambda: ("aws",))

    for packet in hostile_packets():
        for is_udp in (True, False):
            answer = answerer.answer(packet, is_udp=is_udp)
            assert answer is None or (answer[:2] == packet[:2] and answer[2] & 0x80)


def test_answer_to_an_answer_is_silence(targets: dict[str, Target], tmp_path: Path) -> None:
    """Two servers cannot be made to talk to each other for ever."""
    answer = dns.message.make_response(dns.message.make_query("ingest.drill.test.", "A")).to_wire()
    with local_dns(tmp_path, **settings_for(targets)) as (port, _):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.3)
            client.sendto(answer, (LOOPBACK, port))

            with pytest.raises(TimeoutError):
                client.recv(512)


def test_one_good_probe_starts_the_count_again() -> None:
    """Only failures in a row count."""
    health = Health(since_s=0.0)
    for is_good in (False, False, True, False, False):
        health = health.after(is_good, at_s=1.0, threshold_count=3, recovery_count=3)

    assert health.is_healthy
    assert answered(["aws"], {"aws": health}, follows=Follows.ROUTE53) == ("aws",)


@pytest.mark.parametrize(("follows", "limit_s"), [("route53", 96.0), ("traffic_manager", 130.0)])
def test_documented_defaults(tmp_path: Path, follows: str, limit_s: float) -> None:
    """Without numbers of its own, the server has those of the real service."""
    path = tmp_path / "dns.json"
    path.write_text(json.dumps({"zone": "z.", "name": "n", "targets": {"aws": "127.0.0.2"}, "follows": follows}))

    assert read_settings(path).switch_limit_s == limit_s
