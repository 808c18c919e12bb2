"""Which way the arrows point: core knows no cloud, and no cloud knows another."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLOUDS = sorted(p.name for p in (ROOT / "providers").iterdir() if (p / "__init__.py").exists())


def imports_of(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module)


def files_in(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} has no files: this test would prove nothing"
    return found


@pytest.mark.parametrize("path", files_in("core"), ids=lambda path: path.name)
def test_core_imports_the_standard_library_and_itself(path: Path) -> None:
    """No SDK, no entrypoint, no environment, no clock and no chance in the core."""
    modules = {module.partition(".")[0] for module in imports_of(path)}

    assert modules <= sys.stdlib_module_names | {"core"}
    assert not modules & {"os", "time", "random", "datetime", "secrets"}
    assert not {"uuid4", "uuid1"} & {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_provider_knows_another(cloud: str) -> None:
    """A provider imports the core, itself and its SDK; never another provider, an entrypoint or a drill."""
    for path in files_in(f"providers/{cloud}"):
        for module in imports_of(path):
            first, _, rest = module.partition(".")
            assert first not in ("handlers", "drills", "tests"), f"{path} imports {module}"
            assert first != "providers" or rest.partition(".")[0] in ("", cloud), f"{path} imports {module}"


def test_entrypoint_wires_its_own_cloud_only() -> None:
    """handlers/<cloud>.py knows its own provider and the embedded store; the other handlers know none."""
    for path in files_in("handlers"):
        own = {path.stem, "local"} if path.stem in CLOUDS else set()
        known = {m.split(".")[1] for m in imports_of(path) if m.startswith("providers.")}
        assert known <= own, f"{path} imports {known}"
