"""A service account on this machine: a key of its own, and a server that gives tokens for it.

Only so that URLs can be signed: Google's stand-ins ask nobody for a token and look at no signature.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from drills.supervisor import LOOPBACK

_ACCOUNT = "sluice@local-project.iam.gserviceaccount.com"


class TokenServer:
    """Serves from `start` to `stop`. The account's file, `path`, is written at the start and names the server."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "service-account.json"
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def start(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "client_email": _ACCOUNT,
            "private_key": pem.decode(),
            "private_key_id": "local",
            "token_uri": f"http://{LOOPBACK}:{self._server.server_port}/token",
        }
        self.path.unlink(missing_ok=True)
        self.path.touch(mode=0o600)
        self.path.write_text(json.dumps(account))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = json.dumps({"access_token": "local", "expires_in": 3600, "token_type": "Bearer"}).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""
