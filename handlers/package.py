"""Writes the package for a cloud that installs the requirements itself (`npx sls package --cloud gcp|azure` runs it).

The same files give the same bytes on every machine: order, times and modes are fixed, and nothing is compressed,
because what a compressor writes depends on its version.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

_OLDEST = (1980, 1, 1, 0, 0, 0)  # that a zip can name
_UNIX = 3
_REGULAR_FILE_MODE = 0o100644


def main(arguments: list[str]) -> int:
    """Write a package from what standard input says. The folder that this runs in is the project.

    Standard input: {"files": paths that go in as they are, "settings": what the cloud's own root files depend on, as
    the keyword arguments of `providers.<cloud>.package.root_files`}.
    """
    parser = argparse.ArgumentParser(prog="python -m handlers.package", description="write the package of a cloud")
    parser.add_argument("--cloud", required=True)
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args(arguments)
    asked = json.load(sys.stdin)
    root_files = importlib.import_module(f"providers.{options.cloud}.package").root_files(**asked["settings"])
    lock = Path("providers", options.cloud, "requirements.lock")
    contents = {name: Path(name).read_bytes() for name in asked["files"]}
    contents |= {name: text.encode() for name, text in root_files.items()}
    contents["requirements.txt"] = lock.read_bytes()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_zip(options.output, contents)
    return 0


def write_zip(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write a zip of files by name. The bytes depend on `contents` alone."""
    with ZipFile(path, "w", ZIP_STORED) as package:
        for name, content in sorted(contents.items()):
            entry = ZipInfo(name, _OLDEST)
            entry.create_system = _UNIX
            entry.external_attr = _REGULAR_FILE_MODE << 16
            package.writestr(entry, content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
