"""The upload client against three clouds over real HTTP, with what goes wrong on the way."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.wrappers import Response

from core.route import accept_route
from tests.e2e.three_apis import API_KEY, BODY_MAX_BYTES, Seen
from tests.e2e.upload_runs import Client
from tests.unit.sites_in_memory import INITIAL, ORDER

LARGE = bytes(range(256)) * (BODY_MAX_BYTES // 256 + 1)
POST, PRESIGN, PUT = "POST /v1/uploads", "POST /v1/uploads:presign", "PUT /bucket"


def fault_of(cloud: str, what: str, fault: Any, *, count: int = 10**6) -> Callable[[Seen], Any]:
    """Lets the first `count` such requests to a cloud meet a fault."""
    left = [count]

    def meet(seen: Seen) -> Any:
        if (seen.cloud, seen.what) != (cloud, what) or not left[0]:
            return None
        left[0] -= 1
        return fault

    return meet


@pytest.mark.parametrize("content", [b"content", b""])
def test_small_file_gets_a_receipt(client: Client, content: bytes) -> None:
    """One request; the receipt tells what stands where, and it does. Also of an empty file."""
    file = client.file("ä b.txt", content)

    receipt = client.receipt(file)

    key = f"u/{receipt['upload_id']}/ä b.txt"
    assert receipt["file"] == str(file)
    assert receipt["copies"] == ["aws", "gcp"]
    assert receipt["sha256"] == hashlib.sha256(content).hexdigest()
    assert receipt["try_count"] == 1
    assert client.apis.contents() == {"aws": {key: content}, "gcp": {key: content}, "azure": {}}
    assert client.apis.whats("aws") == ["GET /v1/route", POST]
    assert client.memories() == []


def test_several_files_and_one_that_fails(client: Client) -> None:
    """Each file has its line; one without a receipt makes the status 1 and does not stop the others."""
    first, last = client.file("1.txt"), client.file("2.txt")

    status, out, err = client.upload(first, client.folder / "none.txt", last, "--copies", 3)

    assert status == 1
    assert [line.split("  ")[0] for line in out.splitlines()] == [str(first), str(last)]
    assert all(line.endswith("  aws, azure, gcp") for line in out.splitlines())
    assert err == f"Error: {client.folder / 'none.txt'}: No such file or directory\n"


def test_active_cloud_is_asked_first(client: Client) -> None:
    """Whoever is asked first tells which cloud is active."""
    for cloud in ORDER:
        accept_route(client.apis.clouds.services[cloud].control, replace(INITIAL, active="azure", epoch=1))

    receipt = client.receipt(client.file())

    assert receipt["home"] == "azure"
    assert client.apis.whats("azure") == [POST]
    assert client.apis.whats("gcp") == []


def test_dead_cloud_is_left_and_the_next_is_told(client: Client) -> None:
    """A cloud that drops its connections is left at once; the next one takes the upload and learns who failed."""
    client.apis.fault = lambda seen: "drop" if seen.cloud == "aws" else None

    receipt = client.receipt(client.file())

    assert receipt["home"] == "gcp"
    assert client.apis.header("Sluice-Failed", POST) == ["aws"]
    assert client.pauses_s == []


def test_refused_connection_is_a_failure(client: Client) -> None:
    """A cloud with nobody behind its address is named to the next by the name that --to gave it."""
    urls = client.apis.urls

    status, _out, err = client.upload(
        client.file(),
        "--to",
        "aws=http://127.0.0.1:1",
        "--to",
        urls["gcp"],
        "--api-key-file",
        client.file("key", API_KEY.encode()),
    )

    assert status == 0
    assert "aws: no connection (ConnectionRefusedError)" in err
    assert client.apis.header("Sluice-Failed", POST) == ["aws"]


def test_hung_cloud_costs_its_timeout_once(client: Client) -> None:
    """Of three files each is acknowledged within the timeout and a second, and only the first waits at all."""
    client.apis.fault = lambda seen: "hang" if seen.cloud == "aws" else None
    files = [client.file(f"{number}.txt") for number in range(3)]
    began_s = time.monotonic()

    status, out, _err = client.upload(*files, "--timeout-s", 1)

    assert status == 0
    assert len(out.splitlines()) == 3
    assert client.apis.whats("aws") == ["GET /v1/route"]
    assert time.monotonic() - began_s < 2.0


def test_lost_answer_makes_no_second_upload(client: Client) -> None:
    """The next cloud is given the same idempotency key, so that what stands already is the same upload."""
    client.apis.fault = fault_of("aws", POST, "lose the answer")

    receipt = client.receipt(client.file())

    keys = client.apis.header("Idempotency-Key", POST)
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert {key for objects in client.apis.contents().values() for key in objects} == {receipt["key"]}


def test_later_run_carries_on_with_the_same_upload(client: Client) -> None:
    """A run that ended without a receipt leaves its key; the next run's upload is the one that stands already."""
    file = client.file()
    client.apis.fault = lambda seen: "lose the answer" if seen.what == POST else None
    status, _out, err = client.upload(file, "--for-s", 5)
    kept = client.memories()
    client.apis.fault = lambda _seen: None

    receipt = client.receipt(file)

    assert status == 1
    assert "no cloud gave a receipt in time" in err
    assert len(kept) == 1
    assert client.memories() == []
    assert {key for objects in client.apis.contents().values() for key in objects} == {receipt["key"]}


def test_file_that_has_its_receipt_is_uploaded_anew(client: Client) -> None:
    """The memory ends with the receipt, and a file that is edited has one of its own."""
    file = client.file()

    ids = [client.receipt(file)["upload_id"] for _ in range(2)]

    assert len(set(ids)) == 2


def test_pauses_are_as_the_clouds_ask(client: Client) -> None:
    """While every cloud asks for 7 seconds nothing is sent to any; other clouds are tried meanwhile."""
    busy = Response(status=503, headers={"Retry-After": "7"})
    left = dict.fromkeys(ORDER, 1)

    def fault(seen: Seen) -> Response | None:
        if seen.what != POST or not left[seen.cloud]:
            return None
        left[seen.cloud] -= 1
        return busy

    client.apis.fault = fault

    receipt = client.receipt(client.file())

    assert receipt["try_count"] == 4
    assert len(client.pauses_s) == 1
    assert 6 < client.pauses_s[0] <= 7


def test_pauses_grow_where_no_cloud_says_how_long(client: Client) -> None:
    """Dead clouds are asked more and more seldom, until the time is up."""
    client.apis.fault = lambda _seen: "drop"

    status, _out, _err = client.upload(client.file(), "--for-s", 300)

    assert status == 1
    assert sum(client.pauses_s) < 300
    assert len(client.apis.seen) < 100
    assert max(client.pauses_s[-5:]) > max(client.pauses_s[:3])


def test_wrong_key_is_told_at_once(client: Client) -> None:
    """No later try would change that no cloud knows the key."""
    status, _out, err = client.upload(client.file(), "--api-key-file", client.file("key", b"wrong\n"))

    assert status == 1
    assert "does not accept the API key (401 unauthorized)" in err
    assert client.pauses_s == []
    assert len(client.apis.seen) == 3


def test_large_file_goes_straight_into_the_buckets(client: Client) -> None:
    """Above the API's limit two clouds' buckets get it, and the receipt says that both stand."""
    receipt = client.receipt(client.file("large.bin", LARGE))

    key = f"u/{receipt['upload_id']}/large.bin"
    assert receipt["copies"] == ["aws", "gcp"]
    assert client.apis.contents() == {"aws": {key: LARGE}, "gcp": {key: LARGE}, "azure": {}}
    assert client.apis.whats("aws")[1:] == [POST, PRESIGN, PUT, f"POST /v1/uploads/{receipt['upload_id']}:complete"]


@pytest.mark.parametrize("fault", ["drop", Response(status=403), Response(status=500)])
def test_spare_bucket_takes_the_place_of_one_that_fails(client: Client, fault: Any) -> None:
    """Two copies stand without a second round."""
    client.apis.fault = fault_of("aws", PUT, fault)

    receipt = client.receipt(client.file("large.bin", LARGE))

    assert receipt["copies"] == ["azure", "gcp"]
    assert len(client.apis.header("Idempotency-Key", PRESIGN)) == 1


def test_large_file_is_completed_at_another_cloud(client: Client) -> None:
    """When the cloud that gave the URLs dies, another one confirms; what stands is not sent again."""
    client.apis.fault = lambda seen: "drop" if seen.cloud == "aws" and seen.what.endswith(":complete") else None

    receipt = client.receipt(client.file("large.bin", LARGE))

    assert receipt["copies"] == ["aws", "gcp"]
    assert [len([what for what in client.apis.whats(cloud) if what == PUT]) for cloud in ORDER] == [1, 1, 0]


def test_later_run_does_not_send_again_what_stands(client: Client) -> None:
    """A run that put everything and got no receipt leaves that in its memory: the next one only completes."""
    file = client.file("large.bin", LARGE)
    client.apis.fault = lambda seen: Response(status=503) if seen.what.endswith(":complete") else None
    status, _out, _err = client.upload(file, "--for-s", 5)
    client.apis.fault = lambda _seen: None
    client.apis.seen.clear()

    receipt = client.receipt(file)

    assert status == 1
    assert receipt["copies"] == ["aws", "gcp"]
    assert PUT not in {seen.what for seen in client.apis.seen}


def test_object_that_is_gone_is_put_again(client: Client) -> None:
    """What a memory says to stand and does not is put again."""
    file = client.file("large.bin", LARGE)
    client.apis.fault = lambda seen: Response(status=503) if seen.what.endswith(":complete") else None
    client.upload(file, "--for-s", 5)
    client.apis.fault = lambda _seen: None
    client.apis.clouds.services["gcp"].store._objects.clear()  # type: ignore[attr-defined]

    receipt = client.receipt(file)

    assert len(receipt["copies"]) == 2


def test_answer_that_is_no_receipt_is_none(client: Client) -> None:
    """200 of some other server, or a receipt of another content, acknowledges nothing."""
    other = {"upload_id": "1", "copies": ["aws", "gcp"], "sha256": "0" * 64, "size_bytes": 7}
    client.apis.fault = lambda seen: {
        "aws": Response("<html>welcome</html>"),
        "azure": Response(json.dumps(other), content_type="application/json"),
    }.get(seen.cloud)

    receipt = client.receipt(client.file())

    assert receipt["home"] == "aws"
    assert POST in client.apis.whats("gcp")
