"""How S3 names a version of an object, and we: one text that its event, its listing and every answer agree on.

A versionId stands as it is. Where the bucket keeps no versions (no versionId, or "null"), the version is `etag:` and
the eTag without quotes, in lower case; a multipart eTag keeps its `-N`, and is no MD5.
"""

from typing import TypeGuard

_ETAG = "etag:"


def version_of(*, version_id: str | None, etag: str) -> str:
    """The version of an object as S3 describes it."""
    return version_id if is_version_id(version_id) else _ETAG + etag.strip('"').lower()


def is_version_id(version_id: str | None) -> TypeGuard[str]:
    """Whether S3 names a version by this. It says "null" for the one version that a key without versions has."""
    return version_id not in (None, "", "null")


def etag_of(version: str) -> str:
    """The eTag of a version that is named by it, "" for one that is named by its versionId."""
    return version.removeprefix(_ETAG) if version.startswith(_ETAG) else ""
