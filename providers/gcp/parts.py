"""Objects that are put in parts: each is an object of its own under `.sluice/parts/`, and one "Objects: compose" joins.

The XML API's multipart uploads would need an HMAC key, and no local server has them. Parts that nobody joins stay until
a lifecycle rule of the bucket removes them (docs/operations.md).
"""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from core.parts import check_parts, part_key
from providers.gcp.clients import GoogleApi
from providers.gcp.errors import CallError, translate

log = logging.getLogger("sluice")


def join(api: GoogleApi, *, bucket: str, key: str, content_type: str, size_bytes: int, part_count: int) -> bool:
    """Join the parts if there is no object, and delete them.

    Returns:
        False if there is one.

    Raises:
        UploadRejectedError: A part is missing.
    """
    subject = f"bucket {bucket}"
    try:
        known = _put_parts(api, bucket=bucket, key=key)
    except CallError as error:
        raise translate(error, operation="Storage list", subject=subject) from error
    names = [part_key(key, number) for number in range(1, part_count + 1)]
    check_parts([int(known[name]["size"]) if name in known else None for name in names], size_bytes=size_bytes)
    sources = [{"name": name, "generation": known[name]["generation"]} for name in names]
    body = {"sourceObjects": sources, "destination": {"contentType": content_type}}
    try:
        api.call("POST", f"{_path(bucket, key)}/compose", query={"ifGenerationMatch": "0"}, body=body)
    except CallError as error:
        if error.status in (404, 412):  # 404: another joined them, and deleted the parts
            return False
        raise translate(error, operation="Storage compose", subject=subject, is_write=True) from error
    _delete(api, bucket=bucket, names=names)
    return True


def _put_parts(api: GoogleApi, *, bucket: str, key: str) -> dict[str, Mapping[str, Any]]:
    query = {"prefix": part_key(key, 0).removesuffix("0")}
    found = api.call("GET", f"/storage/v1/b/{bucket}/o", query=query)
    return {stored["name"]: stored for stored in found.get("items", [])}


def _delete(api: GoogleApi, *, bucket: str, names: list[str]) -> None:
    for name in names:
        try:
            api.call("DELETE", _path(bucket, name))
        except CallError as error:
            if error.status == 404:
                continue  # another joined them, too
            # The object stands; what is left over costs money until the lifecycle rule comes.
            log.warning("a part of an upload in bucket %s is left over: %s", bucket, error.code or error.status)
            return


def _path(bucket: str, key: str) -> str:
    return f"/storage/v1/b/{bucket}/o/{quote(key, safe='')}"
