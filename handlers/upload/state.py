"""What the upload client remembers of uploads without a receipt, so that a later run carries on with the same ones.

One small file for each, in `$XDG_CACHE_HOME/sluice/uploads` (default: ~/.cache). It is forgotten with the receipt: the
same file uploaded again after that is another upload.
"""

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from handlers.upload.files import LocalFile

_WIRE_VERSION = 1


def default_folder(env: Mapping[str, str]) -> Path:
    """Where the memories are kept."""
    cache = env.get("XDG_CACHE_HOME", "")
    return (Path(cache) if os.path.isabs(cache) else Path.home() / ".cache") / "sluice" / "uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentParts:
    """The parts that one cloud has acknowledged.

    Attributes:
        handle: What joins them; those of another handle are of no use.
        etags: By the part's number, from 1, as text.
    """

    handle: str
    part_bytes: int
    etags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One upload that is under way.

    Attributes:
        idempotency_key: Makes every try, at every cloud, the same upload.
        stood: Clouds into which the object was put by us, whole or in all its parts.
        parts: Of an upload in parts, by cloud: what was put there, and is not yet known to be joined.
    """

    path: Path
    idempotency_key: str
    stood: tuple[str, ...] = ()
    parts: Mapping[str, SentParts] = field(default_factory=dict)

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
            return cls(
                path=path,
                idempotency_key=known["idempotency_key"],
                stood=tuple(known["stood"]),
                parts={cloud: SentParts(**sent) for cloud, sent in known.get("parts", {}).items()},
            )
        return cls(path=path, idempotency_key=secrets.token_hex(16))._kept()

    def with_stood(self, stood: tuple[str, ...]) -> Self:
        """The memory with these clouds, kept.

        Raises:
            OSError: It cannot be kept.
        """
        return replace(self, stood=stood)._kept()

    def with_part(self, cloud: str, number: int, etag: str) -> Self:
        """The memory with one more part that a cloud of `parts` has acknowledged, kept. Raises as `with_stood`."""
        sent = self.parts[cloud]
        sent = replace(sent, etags={**sent.etags, str(number): etag})
        return replace(self, parts={**self.parts, cloud: sent})._kept()

    def with_parts_of(self, cloud: str, *, handle: str, part_bytes: int) -> Self:
        """The memory for parts of this handle: what is known of others is forgotten. Kept with the first part."""
        known = self.parts.get(cloud)
        if known and (known.handle, known.part_bytes) == (handle, part_bytes):
            return self
        sent = SentParts(handle=handle, part_bytes=part_bytes, etags={})
        return replace(self, parts={**self.parts, cloud: sent})

    def without(self, clouds: Collection[str]) -> Self:
        """The memory without what was put into these clouds, kept. Raises as `with_stood`."""
        stood = tuple(cloud for cloud in self.stood if cloud not in clouds)
        parts = {cloud: sent for cloud, sent in self.parts.items() if cloud not in clouds}
        return replace(self, stood=stood, parts=parts)._kept()

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def _kept(self) -> Self:
        """Write it whole or not at all: a new file takes the old one's place."""
        fields: dict[str, Any] = {"wire": _WIRE_VERSION, "idempotency_key": self.idempotency_key}
        fields["stood"] = list(self.stood)
        fields["parts"] = {cloud: asdict(sent) for cloud, sent in self.parts.items()}
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
    return known if is_whole and _are_parts(known.get("parts", {})) else None


def _are_parts(given: Any) -> bool:
    return isinstance(given, dict) and all(
        isinstance(sent, dict)
        and set(sent) == {"handle", "part_bytes", "etags"}
        and isinstance(sent["handle"], str)
        and type(sent["part_bytes"]) is int
        and isinstance(sent["etags"], dict)
        and all(isinstance(etag, str) for etag in sent["etags"].values())
        for sent in given.values()
    )
