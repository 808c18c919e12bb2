"""Uploads files through the API of whichever cloud works. `npx sls upload` runs it.

Receipts go to standard output, everything else to standard error. Exit status: 0 every file has a receipt, 1 one has
none, 2 misused.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from handlers.failover.clouds import CloudsUnknownError, KnownClouds, find_clouds
from handlers.peers.settings import origin_of
from handlers.upload.api import Api, UploadRefusedError
from handlers.upload.clouds import CloudOrder, NoCloudLeftError, OutOfTimeError, cloud_states
from handlers.upload.files import FileError, look_at_file
from handlers.upload.progress import Progress, printable
from handlers.upload.state import Memory, default_folder
from handlers.upload.tries import Uploader

_KEY_MAX_CHARS = 512


class OptionError(Exception):
    """The user's mistake, in words that name the remedy."""


def main(
    arguments: list[str],
    *,
    monotonic_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Upload the files that are named. Returns the exit status."""
    options = _parser().parse_args(arguments)
    progress = Progress(out=sys.stderr, monotonic_s=monotonic_s)
    try:
        uploader = _uploader(options, progress, monotonic_s, sleep)
    except (OptionError, CloudsUnknownError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    uploader.prefer_active()
    folder = default_folder(os.environ)
    try:
        results = [_upload(name, uploader, progress, folder, as_json=options.json) for name in options.files]
    except KeyboardInterrupt:
        progress.say("stopped; the same command carries on with the same uploads")
        return 130
    return 0 if all(results) else 1


def _upload(name: str, uploader: Uploader, progress: Progress, folder: Path, *, as_json: bool) -> bool:
    """Upload one file and print its receipt, or why there is none."""
    began_s = time.monotonic()
    try:
        file = look_at_file(Path(name))
        memory = Memory.of(file, folder=folder)
        receipt = uploader.upload(file, memory)
    except (FileError, UploadRefusedError, NoCloudLeftError, OutOfTimeError) as error:
        return _failed(name, str(error), progress, as_json=as_json)
    except OSError as error:
        return _failed(name, f"{folder} cannot be used: {error.strerror}", progress, as_json=as_json)
    progress.end()
    took_ms = round((time.monotonic() - began_s) * 1000)
    _print_receipt(name, receipt, try_count=uploader.try_count, took_ms=took_ms, as_json=as_json)
    memory.forget()  # only now: whoever is interrupted before has no receipt, and asks again
    return True


def _failed(name: str, reason: str, progress: Progress, *, as_json: bool) -> bool:
    progress.end()
    if as_json:
        print(json.dumps({"file": name, "error": reason}), flush=True)
    print(f"Error: {printable(name)}: {reason}", file=sys.stderr)
    return False


def _print_receipt(name: str, receipt: Mapping[str, Any], *, try_count: int, took_ms: int, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": name, **receipt, "try_count": try_count, "took_ms": took_ms}), flush=True)
        return
    copies = receipt.get("copies")
    clouds = ", ".join(map(str, copies)) if isinstance(copies, list) else "?"
    facts = (receipt.get("upload_id"), f"{receipt.get('size_bytes')} bytes", f"sha256 {receipt.get('sha256')}", clouds)
    print(printable("  ".join((name, *map(str, facts)))), flush=True)


def _uploader(
    options: argparse.Namespace, progress: Progress, monotonic_s: Callable[[], float], sleep: Callable[[float], None]
) -> Uploader:
    known = None if options.to else find_clouds(os.environ, path=options.peers)
    named = [_named_url(text) for text in options.to] if known is None else list(known.urls.items())
    order = CloudOrder(clouds=cloud_states(named), monotonic_s=monotonic_s, sleep=sleep, jitter=random.random)
    return Uploader(
        api=Api(api_key=_api_key(options, known), timeout_s=options.timeout_s),
        order=order,
        copies=options.copies,
        budget_s=options.for_s,
        say=progress.say,
        begin=progress.begin,
        on_sent=progress.add,
        on_part=progress.add_part,
        parts_above_bytes=options.parts_above_mib * 2**20,
    )


def _named_url(text: str) -> tuple[str, str]:
    """`https://…`, or `gcp=https://…`; the name is what other clouds are told when it fails."""
    name, separator, url = text.partition("=")
    if not separator or "/" in name:
        name, url = "", text
    try:
        origin_of(url)
    except ValueError as error:
        raise OptionError(f"--to {text}: {error}") from error
    return name, url


def _api_key(options: argparse.Namespace, known: KnownClouds | None) -> str:
    if options.api_key_file is None:
        return os.environ.get("SLUICE_API_KEY") or (known.api_key if known else "")
    try:
        key = Path(options.api_key_file).read_text().strip()
    except (OSError, ValueError) as error:
        raise OptionError(
            f"cannot read {options.api_key_file}: {getattr(error, 'strerror', 'it is no text')}"
        ) from error
    if not 1 <= len(key) <= _KEY_MAX_CHARS or not key.isascii() or not key.isprintable():
        raise OptionError(f"{options.api_key_file} must hold one key of up to {_KEY_MAX_CHARS} printable characters")
    return key


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sls upload", description="upload files to whichever cloud works")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument(
        "--to", action="append", default=[], metavar="[CLOUD=]URL", help="a cloud's API; may be repeated"
    )
    parser.add_argument(
        "--peers", metavar="FILE", help="where the clouds are, without --to (default: the local clouds)"
    )
    parser.add_argument(
        "--copies", type=_number(1, 32), help="clouds in which an upload must stand (default: as set there)"
    )
    parser.add_argument("--api-key-file", metavar="FILE", help="holds the API key (default: SLUICE_API_KEY)")
    parser.add_argument(
        "--timeout-s", type=_number(1, 600), default=10, help="how long a cloud may be silent (%(default)s)"
    )
    parser.add_argument(
        "--parts-above-mib",
        type=_number(1, 4096),
        default=64,
        help="send larger files in parts (%(default)s)",
    )
    parser.add_argument("--for-s", type=_number(1, 86_400), default=600, help="give up a file after this (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each file")
    return parser
