"""Google's own emulators of Pub/Sub and Firestore, where gcloud's components and Java are installed.

They serve gRPC and JSON on one port. Started from their jars, because gcloud's wrapper leaves Java behind when it is
stopped (measured 2026-11-23, gcloud 528). Killing them loses everything. The local Google Cloud does not run on them:
they do not answer for Cloud Monitoring, so nobody could tell what waits.
"""

import shutil
from pathlib import Path

from drills.supervisor import LOOPBACK, SupervisedProcess

_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
_COMPONENTS = {"pubsub": "pubsub-emulator", "firestore": "cloud-firestore-emulator"}
_FIRESTORE_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"  # its manifest names no main class


def why_missing(name: str) -> str:
    """Why the emulator of "pubsub" or "firestore" cannot run here; "" if it can."""
    if not shutil.which("java"):
        return f"Google's {name} emulator needs Java; `java` is not on the PATH"
    if not shutil.which("gcloud"):
        return f"Google's {name} emulator needs gcloud; `gcloud` is not on the PATH"
    if not _jar(name):
        return f"Google's {name} emulator needs a component: gcloud components install {_COMPONENTS[name]}"
    return ""


def google_emulator(name: str, *, port: int, folder: Path) -> SupervisedProcess | None:
    """The emulator of "pubsub" or "firestore", not yet started; None where it is not installed."""
    java, jar = shutil.which("java"), _jar(name)
    if not java or not jar:
        return None
    what = ["-jar", str(jar)] if name == "pubsub" else ["-cp", str(jar), _FIRESTORE_CLASS, "start"]
    return SupervisedProcess(
        [java, *_JVM, *what, f"--host={LOOPBACK}", f"--port={port}"],
        name=f"google-{name}",
        environment={},
        folder=folder,
        log_path=folder / f"google-{name}.log",
    )


def _jar(name: str) -> Path | None:
    """The newest jar of gcloud's own installation."""
    gcloud = shutil.which("gcloud")
    if not gcloud:
        return None
    component = Path(gcloud).resolve().parent.parent / "platform" / _COMPONENTS[name]
    pattern = "lib/cloud-pubsub-emulator-*-all.jar" if name == "pubsub" else "cloud-firestore-emulator.jar"
    return max(component.glob(pattern), default=None)
