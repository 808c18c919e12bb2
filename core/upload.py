"""What an upload is, and the id that it has wherever and however it is seen."""

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID, uuid5

# uuid5(NAMESPACE_URL, "sluice"). Fixed for ever: all ids of objects put straight into a bucket hang on it.
NAMESPACE = UUID("0fbefbf0-73c4-58c1-b9df-1e7c6a10b260")

# Keys of Sluice's own objects. They are neither uploads nor anybody's business.
OWN_PREFIX = ".sluice/"

_API_KEY = re.compile(r"u/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/[^/]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One version of one object, as an event or a bucket listing tells of it.

    Attributes:
        cloud: Where the bucket is: "aws", "gcp", …
        key: The object's name, decoded. Hostile: it is never used as a path.
        version: Names the version for good. Opaque outside `providers/<cloud>/`; the event and the listing agree on it.
        size_bytes: As declared, or None where the source does not tell.
        sequencer: Orders the versions of one key, as text (adapters pad it); "" if unknown. Never part of the id.
        url: Where another cloud's upload can be read without credentials; only of work that was handed over. A secret.
    """

    upload_id: str
    cloud: str
    bucket: str
    key: str
    version: str
    size_bytes: int | None = None
    sequencer: str = ""
    url: str = field(default="", repr=False)


class Deleted(StrEnum):
    """What was deleted."""

    KEY = "key"  # the key shows no object any more; a versioned bucket keeps the versions behind a delete marker
    VERSION = "version"  # one version (or one delete marker) is gone for good


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A key, or one version of it, was deleted.

    Attributes:
        version: The version that is gone; for a deleted key that of the delete marker, "" in a bucket without versions.
        sequencer: As of an upload. Uploads of the key with a smaller one came before.
    """

    deleted: Deleted
    cloud: str
    bucket: str
    key: str
    version: str
    sequencer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A notification that is neither, and why (a test event, a tag change, a folder marker, …)."""

    reason: str


Notice = Upload | Deletion | Ignored


def is_folder_marker(key: str, *, size_bytes: int | None) -> bool:
    """Whether this is what consoles store to show an empty folder. It is no upload, for an event and for a sweep."""
    return key.endswith("/") and size_bytes == 0


def upload_id_of(*, cloud: str, bucket: str, key: str, version: str) -> str:
    """The id of an upload: deterministic, so that every sighting in every cloud gives the same one.

    An upload through the API got its id at ingress; it stands in the key, which replicas keep. For an object that was
    put straight into a bucket the id is a UUIDv5 over facts that its event and its listing both carry.
    """
    through_api = _API_KEY.fullmatch(key)
    if through_api:
        return through_api[1]
    return _uuid(cloud, bucket, key, version)


def is_api_key(key: str) -> bool:
    """Whether an upload through the API has this key; a copy then has it in every cloud."""
    return _API_KEY.fullmatch(key) is not None


def derived_id_of(*facts: str) -> str:
    """An id that hangs on these facts and on nothing else."""
    return _uuid(*facts)


def deletion_id_of(deletion: Deletion) -> str:
    """The ledger row of this deletion. The sequencer is no part of it: a later deletion takes the row over."""
    return _uuid("deletion", deletion.deleted, deletion.cloud, deletion.bucket, deletion.key, deletion.version)


def _uuid(*facts: str) -> str:
    # JSON, because keys may hold any separator that we could choose.
    return str(uuid5(NAMESPACE, json.dumps(facts, ensure_ascii=True, separators=(",", ":"))))
