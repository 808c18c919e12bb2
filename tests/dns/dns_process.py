"""Local servers for tests: the drills' DNS server, knot and BIND where installed, and HTTP targets."""

import base64
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query

from drills.supervisor import LOOPBACK, SupervisedProcess, answers_http, pick_free_port

ROOT = Path(__file__).parents[2]
SECRET = base64.b64encode(b"a key for tests, 32 bytes long.!").decode()
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)}


class Target:
    """One HTTP target on an address of its own; `status` may be changed at any time."""

    def __init__(self, address: str, port: int, *, status: int = 200) -> None:
        self.status = status
        self.port = port
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.status if self.path == "/v1/serving" else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def local_dns(folder: Path, **settings: Any) -> Iterator[tuple[int, int]]:
    """Run the drills' DNS server. Gives its port and its admin port."""
    port, admin_port = pick_free_port(), pick_free_port()
    config = folder / "dns.json"
    config.write_text(json.dumps({"zone": "drill.test.", "name": "ingest", **settings}))
    command = [sys.executable, "-m", "drills.dns.server", "--port", str(port), "--admin-port", str(admin_port)]
    process = _process([*command, "--config", str(config)], folder, name="dns")
    with process:
        process.wait_ready(lambda: answers_http(admin_port, "/status"), timeout_s=20)
        yield port, admin_port


@contextmanager
def update_server(kind: str, folder: Path) -> Iterator[int]:
    """Run a server that takes updates of drill.test., where `race` leads to `start.example.`. Gives its port."""
    if kind == "drills":
        records = [["race", 5, "CNAME", ["start.example."]]]
        key = {"name": "drill.", "secret": SECRET}
        with local_dns(folder, targets={"aws": "127.0.0.2:9"}, records=records, key=key) as (port, _):
            yield port
        return
    port = pick_free_port()
    (folder / "drill.test.zone").write_text(
        "$ORIGIN drill.test.\n$TTL 5\n@ SOA ns hostmaster 1 60 60 3600 1\n@ NS ns\nns A 127.0.0.1\n"
        "race CNAME start.example.\n"
    )
    write, command = {"knot": (_knot, ["knotd", "-c"]), "bind": (_bind, ["named", "-f", "-c"])}[kind]
    write(folder, port)
    with _process([*command, str(folder / "server.conf")], folder, name=kind) as process:
        process.wait_ready(lambda: answers_dns(port, "race.drill.test."), timeout_s=20)
        yield port


def is_installed(kind: str) -> bool:
    program = {"drills": sys.executable, "knot": "knotd", "bind": "named"}[kind]
    return shutil.which(program, path=ENVIRONMENT["PATH"] + f":{Path(sys.executable).parent}") is not None


def answers_dns(port: int, name: str) -> bool:
    """Whether a CNAME query is answered with a record."""
    try:
        return bool(dns.query.tcp(dns.message.make_query(name, "CNAME"), LOOPBACK, port=port, timeout=1).answer)
    except (OSError, dns.exception.DNSException):
        return False


def _process(command: list[str], folder: Path, *, name: str) -> SupervisedProcess:
    return SupervisedProcess(
        command, name=name, environment=ENVIRONMENT, folder=folder, log_path=folder / f"{name}.log", stop_timeout_s=5
    )


def _knot(folder: Path, port: int) -> None:
    (folder / "server.conf").write_text(f"""
server:
    listen: {LOOPBACK}@{port}
    rundir: {folder}
database:
    storage: {folder}
key:
  - id: drill.
    algorithm: hmac-sha256
    secret: {SECRET}
acl:
  - id: update
    key: drill.
    action: update
zone:
  - domain: drill.test.
    storage: {folder}
    file: drill.test.zone
    acl: update
""")


def _bind(folder: Path, port: int) -> None:
    (folder / "server.conf").write_text(f"""
key "drill." {{ algorithm hmac-sha256; secret "{SECRET}"; }};
options {{ directory "{folder}"; listen-on port {port} {{ {LOOPBACK}; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key"; managed-keys-directory "{folder}"; }};
controls {{ }};
zone "drill.test." {{ type master; file "{folder}/drill.test.zone"; allow-update {{ key "drill."; }}; }};
""")
