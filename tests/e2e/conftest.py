"""One local AWS for all end-to-end tests, as deployed but for shorter times, with logic that fails on demand."""

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drills.aws.cloud import LocalAws
from drills.aws.declaration import read_declaration
from tests.e2e.bucket import ATTEMPT_COUNT, ROOT, Bucket


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


@pytest.fixture
def bucket(local_aws: LocalAws, faults_folder: Path) -> Bucket:
    """The local AWS. Tests share it, so each uses keys of its own."""
    return Bucket(aws=local_aws, faults_folder=faults_folder)


@pytest.fixture
def mark() -> str:
    """A word in this test's own keys, and in nobody else's."""
    return uuid.uuid4().hex[:8]
