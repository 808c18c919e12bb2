"""One local cloud of each kind for all end-to-end tests, with shorter times, and logic that fails on demand."""

import logging
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drills.aws.cloud import LocalAws
from drills.aws.declaration import read_declaration
from drills.azure.cloud import LocalAzure
from drills.gcp.cloud import PROJECT, FunctionSettings, LocalGcp
from drills.gcp.google import storage_client
from tests.e2e.azure_container import Container
from tests.e2e.bucket import ATTEMPT_COUNT, ROOT, Bucket
from tests.e2e.gcp_bucket import GcpBucket
from tests.e2e.three_apis import three_apis
from tests.e2e.upload_runs import Client


@pytest.fixture(scope="session")
def task_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function's code as deployed, but for the user's logic."""
    folder = tmp_path_factory.mktemp("task")
    for name in ("core", "providers", "handlers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("logic_with_faults.py"), folder / "handlers" / "logic.py")
    return folder


@pytest.fixture(scope="session")
def faults_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the logic leaves its traces."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory, task_root: Path, faults_folder: Path) -> Iterator[LocalAws]:
    """A running local AWS whose function stops after 6 s and whose messages come back after 7 s."""
    declared = read_declaration(ROOT).with_visibility_timeout(7)
    short = {
        "SLUICE_ATTEMPT_COUNT": str(ATTEMPT_COUNT),
        "SLUICE_LEASE_MARGIN_S": "1",
        "FAULTS_FOLDER": str(faults_folder),
        "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
    }
    declared = replace(declared, timeout_s=6, environment={**declared.environment, **short})
    with LocalAws(declared, folder=tmp_path_factory.mktemp("aws"), task_root=task_root) as running:
        yield running


@pytest.fixture(scope="session")
def local_azure(tmp_path_factory: pytest.TempPathFactory, task_root: Path, faults_folder: Path) -> Iterator[LocalAzure]:
    """A running local Azure whose function stops after 6 s, and whose messages come back 7 s after a crash."""
    settings = {
        "SLUICE_ATTEMPT_COUNT": str(ATTEMPT_COUNT),
        "SLUICE_LEASE_MARGIN_S": "1",
        "FAULTS_FOLDER": str(faults_folder),
        "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
    }
    folder = tmp_path_factory.mktemp("azure")
    with LocalAzure(folder=folder, task_root=task_root, timeout_s=6, lock_s=7, settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def local_gcp(tmp_path_factory: pytest.TempPathFactory, task_root: Path, faults_folder: Path) -> Iterator[LocalGcp]:
    """A running local Google Cloud whose function has 6 s and whose messages come back after 10 s, or after 1 to 4."""
    short = {
        "SLUICE_ATTEMPT_COUNT": str(ATTEMPT_COUNT),
        "SLUICE_LEASE_MARGIN_S": "1",
        "FAULTS_FOLDER": str(faults_folder),
        "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
    }
    settings = FunctionSettings(
        timeout_s=6, ack_deadline_s=10, shortest_backoff_s=0.5, longest_backoff_s=2, environment=short
    )
    with LocalGcp(settings, folder=tmp_path_factory.mktemp("gcp"), task_root=task_root) as running:
        yield running


@pytest.fixture
def bucket(local_aws: LocalAws, faults_folder: Path) -> Bucket:
    """The local AWS. Tests share it, so each uses keys of its own."""
    return Bucket(aws=local_aws, faults_folder=faults_folder)


@pytest.fixture
def container(local_azure: LocalAzure, faults_folder: Path) -> Container:
    """The local Azure, shared likewise."""
    return Container(azure=local_azure, faults_folder=faults_folder)


@pytest.fixture
def gcp_bucket(local_gcp: LocalGcp, faults_folder: Path) -> Iterator[GcpBucket]:
    """The local Google Cloud, shared likewise."""
    client = storage_client(local_gcp.storage.url, project=PROJECT)
    yield GcpBucket(gcp=local_gcp, client=client, faults_folder=faults_folder)
    client.close()


@pytest.fixture
def client(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Client]:
    """The upload client, of three clouds of which two hold each upload."""
    caplog.set_level(logging.CRITICAL, logger="sluice")
    caplog.set_level(logging.CRITICAL, logger="werkzeug")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SLUICE_API_KEY", raising=False)
    with three_apis() as apis:
        yield Client(apis, tmp_path, capsys)


@pytest.fixture
def mark() -> str:
    """A word in this test's own keys, and in nobody else's."""
    return uuid.uuid4().hex[:8]
