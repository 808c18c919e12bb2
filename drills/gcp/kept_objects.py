"""Keeps the objects of fake-gcs-server, which has them in memory only, over a clean stop.

A file of ours with a random name for each content, so that no key ever becomes a path, and one index of metadata. The
server lets nobody choose a generation, so objects come back under new ones, versions in their old order; whoever has
written down the old ones needs `Restored.generations`. Times of creation are not kept either.
"""

import base64
import hashlib
import http.client
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from core.probe import PROBE_KEY
from drills.gcp.google import call

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60
# Everything that fake-gcs-server takes with an upload, but for the name and the content's type.
_FIELDS = ("contentEncoding", "contentDisposition", "contentLanguage", "cacheControl", "customTime", "metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """One version of one object; `file_name` is that of its content, "" before it is kept."""

    key: str
    generation: str
    is_live: bool
    md5: str
    content_type: str
    fields: Mapping[str, Any]
    file_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came back.

    Attributes:
        generations: Old to new.
        event_count: How many events the server has sent, or will yet send, for it.
    """

    generations: Mapping[str, str]
    event_count: int


class KeptObjects:
    """The objects of one bucket, on disk while the server is down."""

    def __init__(self, folder: Path, *, address: str, bucket: str, public_host: str = "") -> None:
        """`address` is the server's "host:port", `public_host` that under which it gives contents, if it is another."""
        self._folder, self._address, self._bucket = folder, address, bucket
        self._public_host = public_host or address
        self._index = folder / "index.json"

    @property
    def is_empty(self) -> bool:
        return not self._read()

    def save(self) -> None:
        """Keep what the bucket holds, and nothing else. Contents that are kept already are not read again.

        Raises:
            OSError: The server cannot be read; what was kept before is untouched.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        known = {(version.key, version.generation): version.file_name for version in self._read()}
        kept = []
        for version in self._list():
            file_name = known.get((version.key, version.generation)) or self._fetch(version)
            kept.append(replace(version, file_name=file_name))
        self._write(kept)
        wanted = {version.file_name for version in kept} | {self._index.name}
        for path in self._folder.iterdir():
            if path.name not in wanted:
                path.unlink()

    def restore(self) -> Restored:
        """Put everything back into the bucket, which is new and empty. Call `renumber` once others know of it."""
        generations, keys, event_count = {}, dict[str, bool](), 0
        for version in self._read():
            generations[version.generation] = self._put(version)
            event_count += 2 if version.key in keys else 1  # of the new version, and of the archived one
            keys[version.key] = version.is_live
        for deleted in (key for key, is_live in keys.items() if not is_live):
            call("DELETE", self._address, self._path(deleted))
            event_count += 1
        return Restored(generations=generations, event_count=event_count)

    def renumber(self, generations: Mapping[str, str]) -> None:
        """Note the new generations, in case that no clean stop will do so."""
        self._write([replace(version, generation=generations[version.generation]) for version in self._read()])

    def _read(self) -> list[_Version]:
        return [_Version(**row) for row in json.loads(self._index.read_text())] if self._index.exists() else []

    def _write(self, versions: Sequence[_Version]) -> None:
        rows = [{name: getattr(version, name) for name in _Version.__slots__} for version in versions]
        new = self._folder / uuid.uuid4().hex
        new.write_text(json.dumps(rows))
        os.replace(new, self._index)

    def _list(self) -> list[_Version]:
        """All versions, the oldest first, but for the probes, of which there is one every few seconds.

        A patched object is listed twice with one generation: the live one counts.
        """
        found: dict[tuple[str, int], _Version] = {}
        query = {"versions": "true"}  # without a limit it answers with all at once
        for item in call("GET", self._address, f"/storage/v1/b/{self._bucket}/o", query=query).get("items", []):
            version = _version_of(item)
            if version.key == PROBE_KEY:
                continue
            place = (version.key, int(version.generation))
            if version.is_live or place not in found:
                found[place] = version
        return [found[place] for place in sorted(found, key=lambda place: place[1])]

    def _fetch(self, version: _Version) -> str:
        """Write the content into a new file; returns its name."""
        file_name, digest = uuid.uuid4().hex, hashlib.md5(usedforsecurity=False)
        with closing(self._connect()) as connection, (self._folder / file_name).open("wb") as file:
            path = f"/{self._bucket}/{quote(version.key, safe='')}?generation={version.generation}"
            connection.request("GET", path, headers={"host": self._public_host, "accept-encoding": "gzip"})
            answer = connection.getresponse()
            while chunk := answer.read(_CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
        if answer.status != http.HTTPStatus.OK or base64.b64encode(digest.digest()).decode() != version.md5:
            raise OSError(f"{version.key!r} could not be read (status {answer.status})")
        return file_name

    def _put(self, version: _Version) -> str:
        """Upload; returns the new generation."""
        boundary = uuid.uuid4().hex
        metadata = json.dumps({"name": version.key, **version.fields})
        head = f"--{boundary}\r\ncontent-type: application/json\r\n\r\n{metadata}\r\n--{boundary}\r\n"
        head += f"content-type: {version.content_type}\r\n\r\n"
        tail, path = f"\r\n--{boundary}--\r\n", self._folder / version.file_name
        size_bytes = len(head.encode()) + path.stat().st_size + len(tail)
        headers = {"content-type": f"multipart/related; boundary={boundary}", "content-length": str(size_bytes)}
        query = urlencode({"uploadType": "multipart"})
        with closing(self._connect()) as connection:
            target = f"/upload/storage/v1/b/{self._bucket}/o?{query}"
            connection.request("POST", target, body=_parts(head, path, tail), headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        stored = json.loads(content) if answer.status == http.HTTPStatus.OK else {}
        if stored.get("md5Hash") != version.md5:
            raise OSError(f"{version.key!r} could not be put back (status {answer.status}): {content[:200]!r}")
        return str(stored["generation"])

    def _path(self, key: str) -> str:
        return f"/storage/v1/b/{self._bucket}/o/{quote(key, safe='')}"

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, timeout=_TIMEOUT_S)


def _version_of(item: Mapping[str, Any]) -> _Version:
    return _Version(
        key=item["name"],
        generation=item["generation"],
        is_live=not item.get("timeDeleted"),
        md5=item["md5Hash"],
        content_type=item.get("contentType", ""),
        fields={name: item[name] for name in _FIELDS if item.get(name)},
    )


def _parts(head: str, path: Path, tail: str) -> Iterator[bytes]:
    yield head.encode()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
    yield tail.encode()
