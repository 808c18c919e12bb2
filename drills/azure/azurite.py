"""Azurite, Microsoft's emulator of Azure Storage, as a supervised process on loopback.

Its state survives `stop` and `start`. Never kill it: measured 2026-11-23 with Azurite 3.37.0, it saves every five
seconds, and SIGKILL loses what it acknowledged since, whereas SIGTERM keeps everything.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from drills.supervisor import LOOPBACK, Runs, StartError, SupervisedProcess, answers_http, pick_free_port
from providers.azure.account import Account, Service, SharedKey

START_TIMEOUT_S = 60.0
ACCOUNT = "devstoreaccount1"
# Azurite's own, published in its README.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_MAIN = Path(__file__).resolve().parents[2] / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


class Azurite(Runs):
    """One emulator: blobs, queues and tables. The ports stay the same over restarts."""

    def __init__(self, folder: Path) -> None:
        """Describe an emulator whose data and log live in `folder`."""
        node = shutil.which("node")
        if node is None:
            raise StartError("azurite needs Node.js; `node` is not on the PATH")
        self.ports = {service: pick_free_port() for service in Service}
        command = [node, str(_MAIN), "--location", str(folder / "data"), "--silent", "--disableTelemetry"]
        command.append("--skipApiVersionCheck")  # the official SDKs' newest version is later than Azurite's
        for service, port in self.ports.items():
            command += [f"--{service}Host", LOOPBACK, f"--{service}Port", str(port)]
        self._process = SupervisedProcess(
            command,
            name="azurite",
            environment={"PATH": os.defpath, "HOME": str(folder / "data"), "TMPDIR": str(folder / "data")},
            folder=folder / "data",
            log_path=folder / "azurite.log",
        )

    def url(self, service: Service, *, port: int | None = None) -> str:
        """Where a service answers; or would, on another port: signatures do not cover it."""
        return f"http://{LOOPBACK}:{port or self.ports[service]}/{ACCOUNT}"

    @property
    def account(self) -> Account:
        return Account(
            name=ACCOUNT,
            urls={service: self.url(service) for service in Service},
            credential=SharedKey(account=ACCOUNT, key=KEY),
        )

    def connection_string(self, ports: Mapping[Service, int] | None = None) -> str:
        """As in a function's settings. `ports` are those of proxies in front of some of the services."""
        urls = {service: self.url(service, port=(ports or {}).get(service)) for service in Service}
        endpoints = "".join(f"{service.capitalize()}Endpoint={url};" for service, url in urls.items())
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoints}"

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            StartError: It did not answer in time.
        """
        self._process.start()
        self._process.wait_ready(self._answers, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        """Stop politely: the state is written now."""
        self._process.stop()

    def pause(self) -> None:
        """Make every service hang: connections are accepted by the system, nothing answers."""
        self._process.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self._process.resume()

    def _answers(self) -> bool:
        # Without credentials: any answer will do.
        return all(answers_http(port, "/", any_status=True) for port in self.ports.values())
