"""What the upload client remembers of uploads without a receipt, so that a later run carries on with the same ones.

One small file for each, in `$XDG_CACHE_HOME/sluice/uploads` (default: ~/.cache). It is forgotten with the receipt: the
same file uploaded again after that is another upload.
"""

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from handlers.upload.files import LocalFile

_WIRE_VERSION = 1


def default_folder(env: Mapping[str, str]) -> Path:
    """Where the memories are kept."""
    cache = env.get("XDG_CACHE_HOME", "")
    return (Path(cache) if os.path.isabs(cache) else Path.home() / ".cache") / "sluice" / "uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One upload that is under way.

    Attributes:
        idempotency_key: Makes every try, at every cloud, the same upload.
        stood: Clouds into which the object was put by us.
    """

    path: Path
    idempotency_key: str
    stood: tuple[str, ...] = ()

    @classmethod
    def of(cls, file: LocalFile, *, folder: Path) -> Self:
        """The memory of this very file, or a new one, which is kept at once.

        Raises:
            OSError: It cannot be kept.
        """
        identity = json.dumps([str(file.path), file.size_bytes, file.mtime_ns, file.sha256])
        path = folder / f"{hashlib.sha256(identity.encode(errors='surrogateescape')).hexdigest()}.json"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = _read(path)
        if known:
            return cls(path=path, idempotency_key=known["idempotency_key"], stood=tuple(known["stood"]))
        return cls(path=path, idempotency_key=secrets.token_hex(16))._kept()

    def with_stood(self, stood: tuple[str, ...]) -> Self:
        """The memory with these clouds, kept.

        Raises:
            OSError: It cannot be kept.
        """
        return replace(self, stood=stood)._kept()

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def _kept(self) -> Self:
        """Write it whole or not at all: a new file takes the old one's place."""
        fields = {"wire": _WIRE_VERSION, "idempotency_key": self.idempotency_key, "stood": list(self.stood)}
        with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
            file.write(json.dumps(fields))
        os.replace(file.name, self.path)
        return self


def _read(path: Path) -> dict[str, Any] | None:
    """None for a file that is missing, or that this version cannot read: then a new upload begins."""
    try:
        known = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(known, dict) or known.get("wire") != _WIRE_VERSION:
        return None
    key, stood = known.get("idempotency_key"), known.get("stood")
    is_whole = isinstance(key, str) and key and isinstance(stood, list) and all(isinstance(each, str) for each in stood)
    return known if is_whole else None
