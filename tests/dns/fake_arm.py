"""A fake of Azure Resource Manager for DNS zones and Traffic Manager, over TLS, without which clients send no token.

It keeps what is sent and gives it back; it judges nothing. Azure's own client library reads every answer.
"""

import datetime
import ipaddress
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from drills.supervisor import LOOPBACK

GROUP = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Network"
_NETWORK = GROUP.lower()


class FakeArm:
    """Listens on loopback until closed. `resources` holds bodies by path in lower case."""

    def __init__(self, folder: Path) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        outer = self

        class Handler(_Handler):
            arm = outer

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.certificate_path = folder / "arm.pem"
        write_certificate(self.certificate_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_path)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{LOOPBACK}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def under(self, path: str, *, depth: int) -> list[dict[str, Any]]:
        """What is kept `depth` levels below a path."""
        prefix = path.lower() + "/"
        return [
            body
            for key, body in self.resources.items()
            if key.startswith(prefix) and key.removeprefix(prefix).count("/") == depth - 1
        ]


class _Handler(BaseHTTPRequestHandler):
    arm: FakeArm
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self._path()
        if path in self.arm.resources:
            self._send(200, self.arm.resources[path])
        elif path.endswith("/recordsets"):
            self._send(200, {"value": self.arm.under(path.removesuffix("/recordsets"), depth=2)})
        elif path in (f"{_NETWORK}/dnszones", f"{_NETWORK}/trafficmanagerprofiles"):
            self._send(200, {"value": self.arm.under(path, depth=1)})
        else:
            self._send(404, {"error": {"code": "ResourceNotFound", "message": path}})

    def do_PUT(self) -> None:
        path = self._path()
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        # ids come back as they were sent, and a record set's type says what is in it
        *_, kind, name = unquote(urlsplit(self.path).path).split("/")
        real_kind = f"Microsoft.Network/{'dnszones/' if '/dnszones/' in path and kind != 'dnsZones' else ''}{kind}"
        kept = {"id": unquote(urlsplit(self.path).path), **body, "name": name, "type": real_kind}
        if kind.lower() == "dnszones":
            kept["properties"] = {"nameServers": ["ns1.azure-dns.example."]}
        for endpoint in kept.get("properties", {}).get("endpoints", []):
            endpoint.setdefault("id", f"{kept['id']}/{endpoint['type'].rpartition('/')[2]}/{endpoint['name']}")
        is_new = path not in self.arm.resources
        self.arm.resources[path] = kept
        self._send(201 if is_new else 200, kept)

    def do_DELETE(self) -> None:
        found = self.arm.resources.pop(self._path(), None)
        self._send(200 if found else 204, {})

    def _path(self) -> str:
        return unquote(urlsplit(self.path).path).lower()

    def _send(self, status: int, body: dict[str, Any]) -> None:
        sent = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def write_certificate(path: Path) -> None:
    """Key and certificate of 127.0.0.1, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake ARM of a test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
