"""Google's own emulators of Pub/Sub and Firestore, where gcloud's components and Java are installed.

They serve gRPC and JSON on one port. Started from their jars, because gcloud's wrapper leaves Java behind when it is
stopped (measured 2026-11-23, gcloud 528). Killing them loses everything.
"""

import shutil
from pathlib import Path

from drills.supervisor import LOOPBACK, SupervisedProcess

_PLATFORM = Path("/usr/lib/google-cloud-sdk/platform")
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")


def google_emulator(name: str, *, port: int, folder: Path) -> SupervisedProcess | None:
    """The emulator of "pubsub" or "firestore", not yet started; None where it is not installed."""
    java = shutil.which("java")
    arguments = _pubsub() if name == "pubsub" else _firestore()
    if not java or not arguments:
        return None
    where = [f"--host={LOOPBACK}", f"--port={port}"]
    return SupervisedProcess(
        [java, *_JVM, *arguments, *where],
        name=f"google-{name}",
        environment={},
        folder=folder,
        log_path=folder / f"google-{name}.log",
    )


def _pubsub() -> list[str]:
    jars = sorted((_PLATFORM / "pubsub-emulator" / "lib").glob("cloud-pubsub-emulator-*-all.jar"))
    return ["-jar", str(jars[-1])] if jars else []


def _firestore() -> list[str]:
    jar = _PLATFORM / "cloud-firestore-emulator" / "cloud-firestore-emulator.jar"
    return (
        ["-cp", str(jar), "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start"]
        if jar.exists()
        else []
    )
