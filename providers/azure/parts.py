"""Objects that are put in parts: the blocks of a block blob ("Put Block", "Put Block List", "Get Block List").

Blocks that nobody joins are removed by Azure after a week.
"""

import base64
import re
from urllib.parse import quote

from core.errors import UploadRejectedError
from core.parts import check_parts
from providers.azure.errors import code_of, translate
from providers.azure.rest import CALL_ERRORS, Storage

_BLOCK = re.compile(r"<Block><Name>([^<]*)</Name><Size>([0-9]+)</Size></Block>")


def block_query(number: int) -> str:
    """What a URL of the blob needs beside its signature, which does not cover it, to put part `number`."""
    return f"comp=block&blockid={quote(_block_id(number), safe='')}"


def join(client: Storage, *, path: str, subject: str, content_type: str, size_bytes: int, part_count: int) -> bool:
    """Join the blocks if there is no blob.

    Returns:
        False if there is one.

    Raises:
        UploadRejectedError: A part is missing. Neither number nor size of a block was bound by the signature.
    """
    known = _put_blocks(client, path=path, subject=subject)
    ids = [_block_id(number) for number in range(1, part_count + 1)]
    check_parts([known.get(block_id) for block_id in ids], size_bytes=size_bytes)
    entries = "".join(f"<Uncommitted>{block_id}</Uncommitted>" for block_id in ids)
    body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{entries}</BlockList>'.encode()
    headers = {"If-None-Match": "*", "x-ms-blob-content-type": content_type, "Content-Type": "application/xml"}
    try:
        client.call("PUT", path, query={"comp": "blocklist"}, headers=headers, body=body)
    except CALL_ERRORS as error:
        if code_of(error) == "BlobAlreadyExists":
            return False
        if code_of(error) == "InvalidBlockList":
            raise UploadRejectedError("a part is missing") from error
        raise translate(error, operation="Put Block List", subject=subject, is_write=True) from error
    return True


def _put_blocks(client: Storage, *, path: str, subject: str) -> dict[str, int]:
    """The size of each block that was put and not joined, in bytes, by its id."""
    try:
        answer = client.call("GET", path, query={"comp": "blocklist", "blocklisttype": "uncommitted"})
    except CALL_ERRORS as error:
        if code_of(error) == "BlobNotFound":
            return {}
        raise translate(error, operation="Get Block List", subject=subject) from error
    return {block_id: int(size) for block_id, size in _BLOCK.findall(answer.body.decode())}


def _block_id(number: int) -> str:
    # Of one length for all blocks of a blob, as "Put Block" asks for.
    return base64.b64encode(f"part-{number:06}".encode()).decode()
