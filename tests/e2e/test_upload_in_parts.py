"""The upload client with files that go in parts, against three clouds over real HTTP, interrupted in the middle."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Response

from drills.waiting import wait_until
from tests.e2e.three_apis import Seen
from tests.e2e.upload_runs import Client

ROOT = Path(__file__).parents[2]
PART_BYTES = 8 * 2**20
PUT = "PUT /bucket"
LARGE = hashlib.shake_256(b"large").digest(3 * PART_BYTES + 5)  # four parts
OPTION = ("--parts-above-mib", 16)


def part_of(seen: Seen) -> str:
    """The number of the part that a request puts, "" of any other."""
    found = re.fullmatch(r"/bucket/\.sluice%2Fparts%2F[0-9a-f]{64}%2F([0-9]+)", seen.target)
    return found[1] if found else ""


def parts_put(client: Client, cloud: str) -> list[str]:
    return sorted(part_of(seen) for seen in client.apis.seen if seen.cloud == cloud and seen.what == PUT)


def test_large_file_goes_in_parts(client: Client) -> None:
    """Each of two buckets gets each part once; the receipt is of the whole, which stands, and no part is left."""
    receipt = client.receipt(client.file("large.bin", LARGE), *OPTION)

    key = f"u/{receipt['upload_id']}/large.bin"
    assert receipt["copies"] == ["aws", "gcp"]
    assert client.apis.contents() == {"aws": {key: LARGE}, "gcp": {key: LARGE}, "azure": {}}
    assert parts_put(client, "aws") == parts_put(client, "gcp") == ["1", "2", "3", "4"]
    assert client.memories() == []


def test_smaller_file_goes_at_once(client: Client) -> None:
    """Up to the threshold there is one PUT for each bucket."""
    client.receipt(client.file("large.bin", LARGE), "--parts-above-mib", 64)

    assert parts_put(client, "aws") == parts_put(client, "gcp") == [""]


def test_failed_part_is_put_again_by_itself(client: Client) -> None:
    """A part that meets an error is sent again, the others and the other bucket's are not."""
    left, lock = [1], threading.Lock()

    def fault(seen: Seen) -> Any:
        with lock:
            if seen.cloud == "gcp" and part_of(seen) == "2" and left[0]:
                left[0] = 0
                return Response(status=500)
        return None

    client.apis.fault = fault

    receipt = client.receipt(client.file("large.bin", LARGE), *OPTION)

    assert receipt["copies"] == ["aws", "gcp"]
    assert (parts_put(client, "aws"), parts_put(client, "gcp")) == (list("1234"), list("12234"))


def test_spare_bucket_takes_the_parts(client: Client) -> None:
    """A bucket that takes no part is replaced by the spare one."""
    client.apis.fault = lambda seen: Response(status=403) if seen.cloud == "aws" and part_of(seen) else None

    receipt = client.receipt(client.file("large.bin", LARGE), *OPTION)

    assert receipt["copies"] == ["azure", "gcp"]


def test_killed_client_goes_on_where_it_was(client: Client) -> None:
    """After a kill in the middle, parts that were acknowledged are not sent again, and the receipt is of the whole."""
    file = client.file("large.bin", LARGE)
    client.apis.fault = lambda seen: "hang" if int(part_of(seen) or 0) > 2 else None
    command = [sys.executable, "-m", "handlers.upload", "--peers", str(client.folder / "peers.json"), str(file)]
    process = subprocess.Popen(
        [*command, *map(str, OPTION)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(client.folder / "cache")},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: acknowledged(client) == 4, timeout_s=20, what="two parts in each of two buckets")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    client.apis.fault = lambda _seen: None
    before = len(client.apis.seen)

    receipt = client.receipt(file, *OPTION)

    again = Counter((seen.cloud, part_of(seen)) for seen in client.apis.seen[before:] if seen.what == PUT)
    assert again == {("aws", "3"): 1, ("aws", "4"): 1, ("gcp", "3"): 1, ("gcp", "4"): 1}
    key = f"u/{receipt['upload_id']}/large.bin"
    assert client.apis.contents() == {"aws": {key: LARGE}, "gcp": {key: LARGE}, "azure": {}}


def test_lost_receipt_sends_nothing_again(client: Client) -> None:
    """What was joined, and whose receipt was lost, is found standing by the next run."""
    file = client.file("large.bin", LARGE)
    client.apis.fault = lambda seen: "lose the answer" if seen.what.endswith(":complete") else None
    status, _out, _err = client.upload(file, "--for-s", 5, *OPTION)
    client.apis.fault = lambda _seen: None
    client.apis.seen.clear()

    receipt = client.receipt(file, *OPTION)

    assert status == 1
    assert receipt["copies"] == ["aws", "gcp"]
    assert PUT not in {seen.what for seen in client.apis.seen}


def test_part_that_is_gone_is_put_again(client: Client) -> None:
    """A bucket that lost a part says that nothing stands there; its parts are sent again, the other's are not."""
    file = client.file("large.bin", LARGE)
    client.apis.fault = lambda seen: Response(status=503) if seen.what.endswith(":complete") else None
    client.upload(file, "--for-s", 5, *OPTION)
    client.apis.fault = lambda _seen: None
    objects = client.apis.clouds.services["gcp"].store._objects  # type: ignore[attr-defined]
    del objects[next(key for key in objects if key.endswith("/2"))]
    client.apis.seen.clear()

    receipt = client.receipt(file, *OPTION)

    assert len(receipt["copies"]) == 2
    assert parts_put(client, "aws") == []
    assert len(parts_put(client, "gcp") + parts_put(client, "azure")) == 4


def acknowledged(client: Client) -> int:
    """How many parts the client's memory has."""
    known = [json.loads(memory.read_text())["parts"] for memory in client.memories()]
    return sum(len(sent["etags"]) for parts in known for sent in parts.values())
