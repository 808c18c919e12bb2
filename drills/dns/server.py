"""A small authoritative DNS server on loopback whose answer follows its targets' health: a stand-in.

    python -m drills.dns.server --port P --admin-port A --config FILE      (drills/dns/settings.py says what FILE holds)

UDP and TCP on P; `GET /status` on A tells health, answer, and since when. One prober on this machine plays a whole
fleet (Route 53: healthy while more than 18 % of its checkers agree), and health reaches the answer at once.
"""

import argparse
import json
import socketserver
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from drills.dns.answering import Answerer
from drills.dns.probing import Prober
from drills.dns.settings import Settings, read_settings
from drills.dns.zone import LocalZone
from drills.supervisor import LOOPBACK

_TCP_IDLE_S = 5.0
_LENGTH = struct.Struct("!H")  # RFC 1035, 4.2.2


class _UdpServer(socketserver.UDPServer):
    max_packet_size = 65_535
    answerer: Answerer


class _UdpHandler(socketserver.BaseRequestHandler):
    server: _UdpServer

    def handle(self) -> None:
        wire, reply_socket = self.request
        answer = self.server.answerer.answer(wire, is_udp=True)
        if answer:
            reply_socket.sendto(answer, self.client_address)


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    answerer: Answerer


class _TcpHandler(socketserver.StreamRequestHandler):
    server: _TcpServer
    timeout = _TCP_IDLE_S

    def handle(self) -> None:
        try:
            while len(head := self.rfile.read(_LENGTH.size)) == _LENGTH.size:
                answer = self.server.answerer.answer(self.rfile.read(_LENGTH.unpack(head)[0]), is_udp=False)
                if not answer:
                    return
                self.wfile.write(_LENGTH.pack(len(answer)) + answer)
        except OSError:
            return  # idle for too long, or gone


def status_of(settings: Settings, prober: Prober, changed: "Answer") -> dict[str, Any]:
    """What `GET /status` tells. Times are seconds since the epoch."""
    clouds = prober.answered()
    return {
        "stand_in_for": settings.follows.value,
        "health": {
            cloud: {"is_healthy": health.is_healthy, "streak_count": health.streak_count, "since_s": health.since_s}
            for cloud, health in prober.health().items()
        },
        "answer": list(clouds),
        "since_s": changed.since(clouds),
        "switch_limit_s": settings.switch_limit_s,
    }


class Answer:
    """Remembers since when the answer is what it is: since the last turn of a health that took part in it."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober
        self._start_s = time.time()

    def since(self, clouds: tuple[str, ...]) -> float:
        order = list(self._prober.health().items())
        took_part = order[: max(index for index, (cloud, _) in enumerate(order) if cloud in clouds) + 1]
        return max([self._start_s, *[health.since_s for _, health in took_part]])


class _AdminServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, settings: Settings, prober: Prober) -> None:
        super().__init__((LOOPBACK, port), _AdminHandler)
        self.settings, self.prober, self.changed = settings, prober, Answer(prober)


class _AdminHandler(BaseHTTPRequestHandler):
    server: _AdminServer

    def do_GET(self) -> None:
        if self.path != "/status":
            self.send_error(404)
            return
        body = json.dumps(status_of(self.server.settings, self.server.prober, self.server.changed)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def serve(settings: Settings, *, port: int, admin_port: int) -> None:
    """Serve until the process ends."""
    prober = Prober(settings)
    answerer = Answerer(settings, LocalZone(settings), answered=prober.answered)
    udp, tcp = _UdpServer((LOOPBACK, port), _UdpHandler), _TcpServer((LOOPBACK, port), _TcpHandler)
    udp.answerer = tcp.answerer = answerer
    admin = _AdminServer(admin_port, settings, prober)
    prober.start()
    for server in (udp, tcp):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    admin.serve_forever()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills.dns.server", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--admin-port", type=int, required=True)
    parser.add_argument("--config", type=Path, required=True)
    options = parser.parse_args(arguments)
    serve(read_settings(options.config), port=options.port, admin_port=options.admin_port)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
