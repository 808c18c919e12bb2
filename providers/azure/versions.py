"""How Azure names a version of a blob, and we: by its eTag without quotes, as most events carry it.

The eTag changes with every write, and with every change of metadata, which raises no event; the content is then the
same under a new eTag, and a bucket's listing tells of it.
"""

import re

_ETAG = re.compile(r"0x[0-9A-F]{1,32}")


def version_of(etag: str) -> str:
    """The version of a blob whose eTag, with or without quotes, is this."""
    return etag.strip('"')


def is_version(version: str) -> bool:
    """Whether Azure could have given this version. Nothing else may stand in If-Match: `*` would match every blob."""
    return _ETAG.fullmatch(version) is not None
