"""The operator's commands. `npx sls put|ledger|parked|redrive|sweep` run them, `python -m handlers.cli` does as well.

With SLUICE_LOCAL_DIR they work on the embedded store, else on the cloud's own services, with the function's settings.
Results go to standard output, everything else to standard error.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import StepError
from core.merge import current_uploads
from core.parking import Parked, list_parked, peek, redrive
from core.ports import Cloud
from core.record import Record, describe, from_fields
from core.sweep import sweep
from handlers.wiring import CLOUDS, clock_ms, connect

_KEY_MAX_BYTES = 1024
_PARKED_LIMIT = 1000
_COLUMN_MAX_CHARS = 48  # --json has everything


class CommandError(Exception):
    """The user's mistake, in words that name the remedy."""


def main(arguments: list[str]) -> int:
    """Run one command. Returns the exit status: 0 done, 1 not done, 2 misused."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options, connect(options.cloud))
    except (CommandError, StepError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def put(options: argparse.Namespace, cloud: Cloud) -> None:
    """Store a file and print the event that the cloud would send."""
    key = options.key if options.key is not None else Path(options.file).name
    if not 1 <= len(key.encode()) <= _KEY_MAX_BYTES:
        raise CommandError(f"--key must have 1 to {_KEY_MAX_BYTES} bytes of UTF-8; this one has {len(key.encode())}")
    try:
        with open(options.file, "rb") as body:
            info = cloud.store.put(key, body, size_bytes=os.fstat(body.fileno()).st_size)
    except OSError as error:
        raise CommandError(f"cannot read {options.file}: {error.strerror}") from error
    assert info is not None, "a put without a condition cannot lose"
    events = importlib.import_module(f"providers.{options.cloud}.events")
    print(json.dumps(events.notification_event(info, bucket=cloud.store.bucket), ensure_ascii=False, indent=2))


def show_ledger(options: argparse.Namespace, cloud: Cloud) -> None:
    """Show what is recorded."""
    records = _all_records(cloud)
    if options.current:
        records = current_uploads(records)
    records.sort(key=lambda record: (record.recorded_at_ms, record.upload.key))
    if options.json:
        print(json.dumps({"records": [describe(record) for record in records]}, ensure_ascii=False, indent=2))
        return
    rows = [_ledger_row(record) for record in records]
    print_table(("state", "recorded at", "bytes", "content type", "sha256", "key", "reason"), rows)


def show_parked(options: argparse.Namespace, cloud: Cloud) -> None:
    """Show what was given up, and why."""
    found = list_parked(cloud.parked, limit=_PARKED_LIMIT)
    if options.json:
        print(json.dumps({"parked": [_describe_parked(p) for p in found]}, ensure_ascii=False, indent=2))
        return
    rows = [(p.parked_id, _time(p.parked_at_ms), str(p.receive_count or "?"), p.reason, p.body) for p in found]
    print_table(("id", "parked at", "tries", "reason", "message"), rows)


def redrive_parked(options: argparse.Namespace, cloud: Cloud) -> None:
    """Return parked messages to the work queue."""
    if bool(options.ids) == options.all:
        raise CommandError("name the ids of parked messages (`sls parked` shows them), or give --all")
    returned = redrive(cloud.parked, cloud.work, ids=None if options.all else set(options.ids), limit=_PARKED_LIMIT)
    print(f"{len(returned)} returned to the work queue", file=sys.stderr)
    missing = set(options.ids) - {parked.parked_id for parked in returned}
    if missing:
        raise CommandError(f"not parked: {', '.join(sorted(missing))}")
    if os.environ.get("SLUICE_LOCAL_DIR"):
        _print_delivery(options.cloud, cloud)


def sweep_bucket(options: argparse.Namespace, cloud: Cloud) -> None:
    """Send the uploads whose event never came to the work queue."""
    if options.min_age_s < 0:
        raise CommandError(f"--min-age-s must be 0 or more seconds; this is {options.min_age_s}")
    report = sweep(
        cloud=options.cloud,
        store=cloud.store,
        ledger=cloud.ledger,
        work=cloud.work,
        clock_ms=clock_ms,
        min_age_s=options.min_age_s,
    )
    if options.json:
        counts = asdict(report)
        del counts["after"]  # the whole bucket was swept
        print(json.dumps(counts, indent=2))
        return
    print(
        f"{report.listed_count} listed: {report.known_count} known, {report.young_count} too young to be missed, "
        f"{report.sent_count} sent to the work queue",
        file=sys.stderr,
    )
    if not report.sent_count:
        return
    print(f"the oldest of these has waited {report.oldest_delay_s} s for its event", file=sys.stderr)
    if os.environ.get("SLUICE_LOCAL_DIR"):
        _print_delivery(options.cloud, cloud)


def _print_delivery(name: str, cloud: Cloud) -> None:
    """Nothing polls the embedded work queue: print the event that the cloud would now send, for `sls invoke local`."""
    messages = peek(cloud.work, limit=_PARKED_LIMIT)
    events = importlib.import_module(f"providers.{name}.events")
    print(json.dumps(events.delivery_event(messages), ensure_ascii=False, indent=2))


def _all_records(cloud: Cloud) -> list[Record]:
    records: list[Record] = []
    after = ""
    while True:
        page = cloud.ledger.page(after=after, limit=1000)
        records += [from_fields(row.fields) for row in page.rows]
        after = page.after
        if not after:
            return records


def _ledger_row(record: Record) -> tuple[str, ...]:
    size = "" if record.size_bytes is None else str(record.size_bytes)
    what = (size, record.content_type, record.sha256[:12], record.upload.key, record.reason)
    return (record.state.value, _time(record.recorded_at_ms), *what)


def _describe_parked(parked: Parked) -> dict[str, Any]:
    return {name: getattr(parked, name) for name in ("parked_id", "reason", "parked_at_ms", "receive_count", "body")}


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at_ms else ""


def print_table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    # A hostile key must not move the cursor or colour an operator's terminal.
    lines = [titles, *[tuple("".join(c if c.isprintable() else "�" for c in cell) for cell in row) for row in rows]]
    widths = [min(_COLUMN_MAX_CHARS, max(len(line[column]) for line in lines)) for column in range(len(titles))]
    for line in lines:
        cells = (
            cell if len(cell) <= width else cell[: width - 1] + "…" for cell, width in zip(line, widths, strict=True)
        )
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sls", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--cloud", choices=CLOUDS, default="aws", help="the cloud (default: %(default)s)")

    command = commands.add_parser("put", parents=[common], help="store a file and print the event that the cloud sends")
    command.add_argument("file", help="the file to store")
    command.add_argument("--key", help="its key in the bucket (default: the file's name)")
    command.set_defaults(run=put)

    command = commands.add_parser("ledger", parents=[common], help="show what is recorded")
    command.add_argument("--json", action="store_true", help='print {"records": [...]} with every field')
    command.add_argument(
        "--current", action="store_true", help="only the newest version of each key that is not deleted"
    )
    command.set_defaults(run=show_ledger)

    command = commands.add_parser("parked", parents=[common], help="show what was given up, and why")
    command.add_argument("--json", action="store_true", help='print {"parked": [...]} with whole messages')
    command.set_defaults(run=show_parked)

    command = commands.add_parser("redrive", parents=[common], help="return parked messages to the work queue")
    command.add_argument("ids", nargs="*", help="ids of parked messages")
    command.add_argument("--all", action="store_true", help="all of them")
    command.set_defaults(run=redrive_parked)

    command = commands.add_parser("sweep", parents=[common], help="find uploads whose event never came")
    command.add_argument("--min-age-s", type=int, default=300, help="leave younger ones to their event (%(default)s)")
    command.add_argument("--json", action="store_true", help="print the counts and the longest delay")
    command.set_defaults(run=sweep_bucket)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
