"""`python -m drills.local_clouds up` gives several clouds one name, which follows the active one."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.resolver
import pytest

from core.gather import ThreadGather
from core.switch import move
from drills.local_clouds import main
from drills.waiting import wait_until
from handlers.failover.clouds import connect_peers, find_clouds
from handlers.wiring import clock_ms

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
WAIT_S = 60
INTERVAL_S, THRESHOLD_COUNT, TTL_S = 0.5, 2, 1
REMEMBERED_ROUTE_S = 1.0  # a cloud's API may answer by a route of this age
MARGIN_S = 3.0  # of a shared machine


@contextmanager
def local_clouds(folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Run the command in a folder; gives what peers.json says."""
    command = [sys.executable, "-m", "drills.local_clouds", "up", "--folder", str(folder), *options]
    peers_file = folder / "peers.json"
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=PROJECT_FOLDER, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: process.poll() is not None or told_in(peers_file), timeout_s=WAIT_S, what="the clouds")
            assert process.poll() is None, (folder / "output").read_text()
            yield told_in(peers_file)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT_S)


def told_in(peers_file: Path) -> dict[str, Any]:
    """Empty until the file is whole."""
    text = peers_file.read_text() if peers_file.exists() else ""
    told: dict[str, Any] = json.loads(text) if text.endswith("}\n") else {}
    return told


def resolver_of(name: dict[str, Any]) -> dns.resolver.Resolver:
    """One that keeps answers for their TTL, as those between clients and servers do."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [name["address"]], name["port"]
    resolver.cache = dns.resolver.Cache()
    return resolver


def address_by(resolver: dns.resolver.Resolver, name: dict[str, Any]) -> str:
    [answer] = resolver.resolve(name["name"], "A")
    return str(answer)


def serving_at(address: str, port: int) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection(address, port, timeout=10)) as connection:
        connection.request("GET", "/v1/serving")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("cloud")


def switch_to(cloud: str, peers_file: Path) -> bool:
    """Move the route as a person does. Whether a majority holds the new one."""
    peers = connect_peers(find_clouds({}, path=str(peers_file)), clock_ms=clock_ms)
    looks = {peer.cloud: peer.look() for peer in peers}
    held = {name: look.route for name, look in looks.items() if look.route is not None}
    made = move(held, {"active": cloud}, reason="a test", now_ms=clock_ms(), peers=peers, gather=ThreadGather())
    return made.is_done


def test_name_follows_a_switch(tmp_path: Path) -> None:
    """It leads to the active cloud's API; after a switch to the other's, within interval × threshold + TTL."""
    numbers = ("--dns-interval-s", INTERVAL_S, "--dns-threshold", THRESHOLD_COUNT, "--dns-ttl-s", TTL_S)
    with local_clouds(tmp_path, "--cloud", "gcp,azure", *map(str, numbers)) as told:
        name = told["dns"]
        resolver = resolver_of(name)
        before = address_by(resolver, name)
        before_serves = serving_at(before, name["api_port"])

        assert switch_to("azure", tmp_path / "peers.json")
        after = wait_until(
            lambda: (found := address_by(resolver, name)) != before and found,
            timeout_s=REMEMBERED_ROUTE_S + INTERVAL_S * THRESHOLD_COUNT + TTL_S + MARGIN_S,
            what="the other cloud's address",
        )
        after_serves = serving_at(after, name["api_port"])

    assert (before_serves, after_serves) == ((200, "gcp"), (200, "azure"))
    assert name["targets"] == {"gcp": before, "azure": after}


def test_how_to_ask_is_told(tmp_path: Path) -> None:
    """The commands that `up` prints name the server, which answers by UDP and TCP, with the TTL that was asked for."""
    with local_clouds(tmp_path, "--cloud", "azure,gcp", "--dns-ttl-s", "7") as told:
        name = told["dns"]
        printed = wait_until(lambda: output_with(tmp_path, "Ctrl-C"), timeout_s=WAIT_S, what="the last line")
        query = dns.message.make_query(name["name"], "A")
        answers = [ask(query, name["address"], port=name["port"], timeout=10) for ask in (dns.query.udp, dns.query.tcp)]
        line = next(line for line in printed.splitlines() if "dns.query" in line)
        shown = subprocess.run(
            ["/bin/sh", "-c", line.replace(".venv/bin/python", sys.executable)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    expected = f"{name['name']} 7 IN A {name['targets']['azure']}"
    assert [answer.answer[0].to_text() for answer in answers] == [expected, expected]
    assert shown.strip() == expected
    assert f"dig +short @127.0.0.1 -p {name['port']} uploads.sluice.test." in printed


def output_with(folder: Path, text: str) -> str:
    """What the command printed so far, once this is in it."""
    printed = (folder / "output").read_text()
    return printed if text in printed else ""


def test_one_cloud_needs_no_name(tmp_path: Path) -> None:
    """Of one cloud alone, peers.json tells no name, and no DNS server runs."""
    with local_clouds(tmp_path, "--cloud", "gcp") as told:
        has_log = (tmp_path / "dns.log").exists()

    assert set(told) == {"peers", "keys", "api_key"}
    assert not has_log


@pytest.mark.parametrize(
    "option",
    [
        ("--dns-interval-s", "0"),
        ("--dns-interval-s", "nan"),
        ("--dns-interval-s", "soon"),
        ("--dns-threshold", "0"),
        ("--dns-threshold", "2.5"),
        ("--dns-ttl-s", "-1"),
    ],
)
def test_numbers_that_make_no_sense(option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake is told before anything starts, with the option that it is in."""
    with pytest.raises(SystemExit) as stopped:
        main(["up", "=".join(option)])

    assert stopped.value.code == 2
    assert f"argument {option[0]}: " in capsys.readouterr().err
